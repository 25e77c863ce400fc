"""The shop with the leak as its developer runs it, logged in as somebody who may see everything."""

import os
from pathlib import Path
from typing import Any

from django.http import HttpRequest

from tests.settings import *  # noqa: F403
from tests.settings import MIDDLEWARE as OF_PROJECT

DEBUG = True
ROOT_URLCONF = "tests.leaks.shop"
WSGI_APPLICATION = "project.wsgi.application"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(os.environ["TEST_FOLDER"], "db.sqlite3"),
    }
}
RESET_STATE, *OTHERS = OF_PROJECT
MIDDLEWARE = [
    RESET_STATE,
    "resident.middleware.LeakDetectionMiddleware",
    *OTHERS,
    f"{__name__}.as_superuser",
]


def as_superuser(get_response: Any) -> Any:
    def middleware(request: HttpRequest) -> Any:
        from django.contrib.auth.models import User  # noqa: PLC0415 - settings import no models

        request.user = User(username="chris", is_staff=True, is_superuser=True)
        return get_response(request)

    return middleware
