"""What crossed from one request into the next: observed, compared, told."""
