from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from tests.leaks.projects.library.models import Book, fill

admin.site.register(Book)


def books(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"<html><body>{Book._default_manager.count()} books</body></html>")


urlpatterns = [
    path("admin/", admin.site.urls),
    path("books/", books),
    path("__debug__/", include("debug_toolbar.urls")),
]

prepare = fill
