import reversion
from auditlog.registry import auditlog
from django.contrib import admin
from django.urls import include, path
from reversion.admin import VersionAdmin

from tests.leaks.projects.library.models import Book, fill

admin.site.register(Book, VersionAdmin)
auditlog.register(Book)

urlpatterns = [path("admin/", admin.site.urls), path("hijack/", include("hijack.urls"))]


def prepare() -> None:
    fill()
    with reversion.create_revision():
        Book._default_manager.get(pk=1).save()
