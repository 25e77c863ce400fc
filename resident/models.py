"""What the admin lists and no database holds: with a content type, and a permission to view it."""

from django.db import models

__all__ = ["Leak"]


class InNoTable(models.Manager["Leak"]):
    """Finds nothing, and asks no database: also where `dumpdata` goes through all models."""

    def get_queryset(self) -> models.QuerySet["Leak"]:
        return super().get_queryset().none()


class Leak(models.Model):
    """Stands for what `resident.leaks` found in this process, so that the admin has a page for it,
    and a permission to see that page.
    """

    name = models.CharField(primary_key=True, max_length=255, editable=False)

    objects = InNoTable()

    class Meta:
        managed = False
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.name
