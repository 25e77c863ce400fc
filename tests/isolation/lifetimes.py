"""A Django site that uses all that lives longer than a request: its settings and its one view.

LIFETIMES_DATABASE and LIFETIMES_CACHE are the entries of DATABASES and CACHES as JSON, and
LIFETIMES_OPENED the file to which a resource writes that it was opened.
"""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

from resident.worker import Worker, worker
from tests.applications import application_named

SECRET_KEY = "for tests"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = __name__
INSTALLED_APPS = ["resident"]
MIDDLEWARE = ["resident.middleware.ResetStateMiddleware"]
DATABASES = {"default": json.loads(os.environ["LIFETIMES_DATABASE"])}
CACHES = {"default": json.loads(os.environ["LIFETIMES_CACHE"])}
RESIDENT_RESOURCES = [f"{__name__}.search"]

begun = threading.Barrier(int(os.environ["LIFETIMES_THREADS"]), timeout=20)


def search(_: Worker) -> Iterator[str]:
    """A resource as a project's own: opened once, and only closed when the worker ends."""
    opened = Path(os.environ["LIFETIMES_OPENED"])
    with opened.open("a") as file:
        file.write("opened\n")
    yield "client"
    with opened.open("a") as file:
        file.write("closed\n")


def use_all(request: HttpRequest) -> HttpResponse:
    """Together with as many others as there are threads: each thread has its turn."""
    begun.wait()
    cache.set("visited", value=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    return HttpResponse(f"{worker.get(search)} {backend}")


urlpatterns = [path("", use_all)]

__getattr__ = application_named
