from django.contrib import admin
from django.urls import path

from tests.leaks.projects.library.models import Author, Book, fill


class BookAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("title", "author", "published")
    list_filter = ("author",)
    search_fields = ("title",)
    date_hierarchy = "published"


admin.site.register(Author)
admin.site.register(Book, BookAdmin)

urlpatterns = [path("admin/", admin.site.urls)]

prepare = fill
