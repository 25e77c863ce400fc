"""django-storages keeps its client for S3 in a threading.local: it takes long to make."""

from typing import Any

from django.core.files.storage import default_storage
from django.urls import path

from tests.packages.project import *  # noqa: F403
from tests.packages.project import INSTALLED_APPS, look

ROOT_URLCONF = __name__
INSTALLED_APPS = [*INSTALLED_APPS, "storages"]
MIDDLEWARE: list[str] = []
STORAGES = {
    "default": {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {"bucket_name": "shop", "access_key": "key", "secret_key": "for tests"},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

urlpatterns = [path("look", look)]
clients: list[object] = []


def found() -> str:
    storage: Any = default_storage
    clients.append(storage.connection)
    return "the same" if clients[-1] is clients[0] else "another"
