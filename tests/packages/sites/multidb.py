"""django-multidb-router keeps in a threading.local that it reads from the primary database."""

from django.db import router
from django.urls import path

from tests.packages.project import *  # noqa: F403
from tests.packages.project import DATABASES, LOOK_EARLY, answer

ROOT_URLCONF = __name__
MIDDLEWARE = [LOOK_EARLY, "multidb.middleware.PinningRouterMiddleware"]
DATABASES = DATABASES | {"replica": DATABASES["default"]}
REPLICA_DATABASES = ["replica"]
DATABASE_ROUTERS = ["multidb.PinningReplicaRouter"]

urlpatterns = [path("leave", answer)]


def found() -> str:
    from django.contrib.auth.models import Group  # noqa: PLC0415 - needs the apps

    return "pinned" if router.db_for_read(Group) == "default" else ""
