"""django-request-id keeps its id in a local of its own make, a dict with an entry per thread."""

from django.urls import path
from request_id import get_current_request_id

from tests.packages.project import *  # noqa: F403
from tests.packages.project import INSTALLED_APPS, LOOK_EARLY, leave_by_exit, stay

ROOT_URLCONF = __name__
INSTALLED_APPS = [*INSTALLED_APPS, "request_id"]
MIDDLEWARE = [LOOK_EARLY, "request_id.middleware.RequestIdMiddleware"]
REQUEST_ID_HEADER = "HTTP_X_CORRELATION_ID"

urlpatterns = [path("leave", leave_by_exit), path("stay", stay)]


def found() -> str:
    return str(get_current_request_id())
