from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=50)

    def __str__(self) -> str:
        return self.name


class Book(models.Model):
    title = models.CharField(max_length=50)
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    published = models.DateField(null=True, blank=True)

    def __str__(self) -> str:
        return self.title


def fill() -> None:
    """The rows that the sites' pages show; the first book and its author have the key 1."""
    author = Author._default_manager.create(name="Ursula K. Le Guin")
    for title in ("The Dispossessed", "The Lathe of Heaven", "Always Coming Home"):
        Book._default_manager.create(title=title, author=author, published="1974-05-01")
