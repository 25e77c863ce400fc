"""django-easy-audit keeps the current request in one of asgiref's Locals."""

from django.urls import path

from tests.packages.project import *  # noqa: F403
from tests.packages.project import INSTALLED_APPS, LOOK_EARLY, SIGNED_IN, leave_by_exit

ROOT_URLCONF = __name__
INSTALLED_APPS = [*INSTALLED_APPS, "django.contrib.sessions", "easyaudit"]
MIDDLEWARE = [LOOK_EARLY, SIGNED_IN, "easyaudit.middleware.easyaudit.EasyAuditMiddleware"]

urlpatterns = [path("leave", leave_by_exit)]


def found() -> str:
    """Whom the next change is booked on."""
    from django.contrib.auth.models import Group  # noqa: PLC0415 - needs the apps
    from easyaudit.models import CRUDEvent  # noqa: PLC0415 - needs the apps

    Group.objects.create(name=f"group {Group.objects.count()}")
    user = CRUDEvent.objects.latest("id").user
    return str(user.username) if user else ""
