"""django_replicated keeps in a threading.local of its router that a request may not write."""

from django.urls import path
from django_replicated.settings import *  # noqa: F403

from tests.packages.project import *  # noqa: F403
from tests.packages.project import DATABASES, INSTALLED_APPS, LOOK_EARLY, leave_by_exit

ROOT_URLCONF = __name__
INSTALLED_APPS = [*INSTALLED_APPS, "django_replicated"]
MIDDLEWARE = [LOOK_EARLY, "django_replicated.middleware.ReplicationMiddleware"]
DATABASES = DATABASES | {"replica": DATABASES["default"]}
REPLICATED_DATABASE_SLAVES = ["replica"]
DATABASE_ROUTERS = ["django_replicated.router.ReplicationRouter"]

urlpatterns = [path("leave", leave_by_exit)]


def found() -> str:
    """Why a middleware that counts visits fails to count."""
    from django.contrib.auth.models import Group  # noqa: PLC0415 - needs the apps

    try:
        Group.objects.create(name=f"group {Group.objects.using('default').count()}")
    except RuntimeError as error:
        return str(error)
    return ""
