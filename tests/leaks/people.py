"""Users as other projects have them: models without migrations, whose tables a test makes."""

# ruff: noqa: DJ008 - nobody reads them

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection, models
from django.db.models.functions import Upper


class Person(AbstractBaseUser):
    """Its username is an e-mail address, and its key a UUID."""

    USERNAME_FIELD = "email"
    id = models.UUIDField(primary_key=True, default=uuid4)
    email = models.EmailField(unique=True)
    phone = models.CharField(max_length=8, unique=True)
    number = models.SmallIntegerField(unique=True)
    born = models.DateField(unique=True, null=True)
    shout = models.GeneratedField(
        expression=Upper("email"),
        output_field=models.CharField(max_length=300),
        db_persist=True,
    )

    class Meta:
        app_label = "greeting"  # which is installed, and has no models of its own
        managed = False


class Member(models.Model):
    """What an author is, too."""

    name = models.TextField(unique=True)

    class Meta:
        app_label = "greeting"
        managed = False


class Author(Member):
    """Its key is its parent's; its colleagues come by contract."""

    USERNAME_FIELD = "name"
    colleagues = models.ManyToManyField("Employee", through="Contract")  # type: ignore[var-annotated]

    class Meta:
        app_label = "greeting"
        managed = False


class Contract(models.Model):
    author = models.ForeignKey(Author, models.CASCADE)
    employee = models.ForeignKey("Employee", models.CASCADE)

    class Meta:
        app_label = "greeting"
        managed = False


class Employee(models.Model):
    """There is one for each day, and there can't be another."""

    USERNAME_FIELD = "name"
    name = models.CharField(max_length=100)
    day = models.DateField(unique=True)

    class Meta:
        app_label = "greeting"
        managed = False

    def get_username(self) -> str:
        return self.name


class Stranger(AbstractBaseUser):
    """Nobody has made its table."""

    USERNAME_FIELD = "name"
    name = models.CharField(max_length=100, unique=True)

    class Meta:
        app_label = "greeting"
        managed = False


def those(model: Any) -> Any:
    """The rows of a model."""
    return model._default_manager


@contextmanager
def tables() -> Iterator[None]:
    """The tables of these, as long as the `with`."""
    made = [Person, Member, Employee, Author, Contract]
    with connection.schema_editor(atomic=False) as editor:
        for model in made:
            editor.create_model(model)
    try:
        yield
    finally:
        with connection.schema_editor(atomic=False) as editor:
            for model in reversed(made):
                editor.delete_model(model)
