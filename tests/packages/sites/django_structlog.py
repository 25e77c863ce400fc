"""django-structlog keeps what it adds to log lines in structlog's ContextVars."""

import structlog
from django.urls import path

from tests.packages.project import *  # noqa: F403
from tests.packages.project import INSTALLED_APPS, LOOK_EARLY, SIGNED_IN, leave_by_exit

ROOT_URLCONF = __name__
INSTALLED_APPS = [*INSTALLED_APPS, "django_structlog"]
MIDDLEWARE = [LOOK_EARLY, SIGNED_IN, "django_structlog.middlewares.RequestMiddleware"]
DJANGO_STRUCTLOG_USER_ID_FIELD = "username"

urlpatterns = [path("leave", leave_by_exit)]


def found() -> str:
    """Whom the next line is logged with."""
    line = structlog.contextvars.merge_contextvars(None, "info", {"event": "looked"})
    return str(line.get("user_id", ""))
