from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path
from mptt.admin import DraggableMPTTAdmin
from treebeard.admin import TreeAdmin
from treebeard.forms import movenodeform_factory

from .models import Genre, Shelf


class ShelfAdmin(TreeAdmin):
    form = movenodeform_factory(Shelf)


admin.site.register(Shelf, ShelfAdmin)
admin.site.register(Genre, DraggableMPTTAdmin)

PAGE = "{% load mptt_tags %}{% recursetree genres %}{{ node }}{{ children }}{% endrecursetree %}"


def genres(request: HttpRequest) -> HttpResponse:
    page = engines["django"].from_string(PAGE)
    return HttpResponse(page.render({"genres": Genre.objects.all()}, request))


urlpatterns = [path("admin/", admin.site.urls), path("genres/", genres)]


def prepare() -> None:
    shelf = Shelf.add_root(name="Novels")
    shelf.add_child(name="Utopias")
    shelf.tags.add("left", "upstairs")
    Genre.objects.create(name="Utopia", parent=Genre.objects.create(name="Novel"))
