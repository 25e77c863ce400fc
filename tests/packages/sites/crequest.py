"""django-crequest keeps the current request in a class's dict, one for all threads."""

from crequest.middleware import CrequestMiddleware
from django.urls import path

from tests.packages.project import *  # noqa: F403
from tests.packages.project import INSTALLED_APPS, LOOK_EARLY, SIGNED_IN, leave_by_exit, stay

ROOT_URLCONF = __name__
INSTALLED_APPS = [*INSTALLED_APPS, "crequest"]
MIDDLEWARE = [LOOK_EARLY, SIGNED_IN, "crequest.middleware.CrequestMiddleware"]

urlpatterns = [path("leave", leave_by_exit), path("stay", stay)]


def found() -> str:
    request = CrequestMiddleware.get_request()
    return str(request.user.username) if request else ""
