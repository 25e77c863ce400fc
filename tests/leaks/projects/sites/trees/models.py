from django.db import models
from mptt.models import MPTTModel, TreeForeignKey
from taggit.managers import TaggableManager
from treebeard.mp_tree import MP_Node


class Shelf(MP_Node):
    name = models.CharField(max_length=50)
    tags = TaggableManager(blank=True)

    def __str__(self) -> str:
        return self.name


class Genre(MPTTModel):
    name = models.CharField(max_length=50)
    parent = TreeForeignKey("self", on_delete=models.CASCADE, null=True, blank=True)

    def __str__(self) -> str:
        return self.name
