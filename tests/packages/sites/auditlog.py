"""django-auditlog keeps the request's correlation id in a ContextVar, and never clears it."""

from django.urls import path

from tests.packages.project import *  # noqa: F403
from tests.packages.project import INSTALLED_APPS, LOOK_EARLY, SIGNED_IN, answer

ROOT_URLCONF = __name__
INSTALLED_APPS = [*INSTALLED_APPS, "auditlog"]
MIDDLEWARE = [LOOK_EARLY, SIGNED_IN, "auditlog.middleware.AuditlogMiddleware"]
AUDITLOG_INCLUDE_TRACKING_MODELS = ("auth.Group",)

urlpatterns = [path("leave", answer)]


def found() -> str:
    """Whose request the next change is booked on."""
    from auditlog.models import LogEntry  # noqa: PLC0415 - needs the apps
    from django.contrib.auth.models import Group  # noqa: PLC0415 - needs the apps

    group = Group.objects.create(name=f"group {Group.objects.count()}")
    return LogEntry.objects.get_for_object(group).get().cid or ""
