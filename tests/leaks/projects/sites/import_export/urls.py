from django.contrib import admin
from django.urls import path
from import_export.admin import ImportExportModelAdmin

from tests.leaks.projects.library.models import Book, fill

admin.site.register(Book, ImportExportModelAdmin)

urlpatterns = [path("admin/", admin.site.urls)]

prepare = fill
