"""What the admin lists and no database holds: with a content type, and a permission to view it."""

from typing import TypeVar

from django.db import models

__all__ = ["Flag", "Leak"]

T = TypeVar("T", bound=models.Model)


class InNoTable(models.Manager[T]):
    """Finds nothing, and asks no database: also where `dumpdata` goes through all models."""

    def get_queryset(self) -> models.QuerySet[T]:
        return super().get_queryset().none()


class Leak(models.Model):
    """Stands for what `resident.leaks` found in this process, so that the admin has a page for it,
    and a permission to see that page.
    """

    name = models.CharField(primary_key=True, max_length=255, editable=False)

    objects = InNoTable["Leak"]()

    class Meta:
        managed = False
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.name


class Flag(models.Model):
    """Stands for the flags that this process serves, likewise."""

    key = models.CharField(primary_key=True, max_length=255, editable=False)

    objects = InNoTable["Flag"]()

    class Meta:
        managed = False
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.key
