from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path
from guardian.admin import GuardedModelAdmin
from guardian.shortcuts import get_objects_for_user

from tests.leaks.projects.library.models import Book, fill

admin.site.register(Book, GuardedModelAdmin)


def mine(request: HttpRequest) -> HttpResponse:
    books = get_objects_for_user(request.user, "library.change_book")
    return HttpResponse(", ".join(map(str, books)))


urlpatterns = [path("admin/", admin.site.urls), path("mine/", mine)]

prepare = fill
