from django.contrib import admin
from django.urls import path
from unfold.admin import ModelAdmin

from tests.leaks.projects.library.models import Book, fill


class BookAdmin(ModelAdmin):
    list_display = ("title", "author")


admin.site.register(Book, BookAdmin)

urlpatterns = [path("admin/", admin.site.urls)]

prepare = fill
