"""The application of most sites: books, and who wrote them."""
