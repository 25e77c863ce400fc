"""One query through the ORM, on PostgreSQL: its settings, its view and its applications.

BENCHMARK_DATABASE is the entry of DATABASES as JSON, BENCHMARK_SESSION what RESIDENT_SESSION says.
"""

import json
import os

from django.core.wsgi import get_wsgi_application as get_bare_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from benchmarks.variants.bare import GREETING
from resident.wsgi import get_wsgi_application

SECRET_KEY = "of-a-benchmark"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = __name__
USE_TZ = True
INSTALLED_APPS = ["resident", "django.contrib.contenttypes"]
MIDDLEWARE = [
    "resident.middleware.ResetStateMiddleware",
    "django.middleware.common.CommonMiddleware",  # gives the length of the body
]
DATABASES = {"default": json.loads(os.environ["BENCHMARK_DATABASE"])}
RESIDENT_SESSION = os.environ["BENCHMARK_SESSION"]


def find(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - a view takes its request
    from django.contrib.contenttypes.models import ContentType  # noqa: PLC0415 - these are settings

    found = ContentType.objects.filter(app_label="contenttypes").first()
    return HttpResponse(found and GREETING, content_type="text/plain")


urlpatterns = [path("", find)]


def __getattr__(name: str) -> object:
    makers = {"isolated": get_wsgi_application, "bare": get_bare_application}
    if name not in makers:
        raise AttributeError(name)
    return makers[name]()
