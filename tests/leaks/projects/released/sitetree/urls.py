from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path
from sitetree.models import Tree, TreeItem


def home(request: HttpRequest) -> HttpResponse:
    page = engines["django"].from_string(
        "{% load sitetree %}{% sitetree_menu from 'main' include 'trunk' %}"
    )
    return HttpResponse(page.render({}, request))


urlpatterns = [path("", home)]


def prepare() -> None:
    tree = Tree.objects.create(alias="main", title="The menu")
    TreeItem.objects.create(tree=tree, title="Home", url="/")
