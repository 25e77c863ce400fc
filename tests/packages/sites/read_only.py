"""django-read-only puts its guard on a connection when that connects, for as long as it lives."""

from django.urls import path

from tests.packages.project import *  # noqa: F403
from tests.packages.project import INSTALLED_APPS, look

ROOT_URLCONF = __name__
INSTALLED_APPS = [*INSTALLED_APPS, "django_read_only"]
MIDDLEWARE: list[str] = []

urlpatterns = [path("look", look)]


def prepare() -> None:
    import django_read_only  # noqa: PLC0415 - the tables had to be made first

    django_read_only.disable_writes()


def found() -> str:
    import django_read_only  # noqa: PLC0415 - needs the apps
    from django.contrib.auth.models import Group  # noqa: PLC0415 - needs the apps

    try:
        Group.objects.create(name=f"group {Group.objects.count()}")
    except django_read_only.DjangoReadOnlyError:
        return "guarded"
    return "written"
