"""django-silk keeps the request that it profiles in a threading.local of a singleton."""

from django.urls import path

from tests.packages.project import *  # noqa: F403
from tests.packages.project import INSTALLED_APPS, LOOK_EARLY, SIGNED_IN, leave_by_exit

ROOT_URLCONF = __name__
INSTALLED_APPS = [*INSTALLED_APPS, "django.contrib.sessions", "silk"]
MIDDLEWARE = [LOOK_EARLY, SIGNED_IN, "silk.middleware.SilkyMiddleware"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

urlpatterns = [path("leave", leave_by_exit)]


def found() -> str:
    """The path of the request that the next query is booked on."""
    from django.contrib.auth.models import Group  # noqa: PLC0415 - needs the apps
    from silk.collector import DataCollector  # noqa: PLC0415 - needs the apps

    list(Group.objects.all())
    booked = DataCollector().objects or {}
    paths = {query["request"].path for query in booked.get("queries", {}).values()}
    return ", ".join(paths)
