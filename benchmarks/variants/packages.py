"""A project of middle size: Django's admin, and six widespread packages."""

from project.settings import *  # noqa: F403
from project.settings import INSTALLED_APPS as _APPS

ROOT_URLCONF = "benchmarks.variants.api"
SECRET_KEY = "of-a-benchmark"
INSTALLED_APPS = [
    *_APPS,
    "rest_framework",
    "django_filters",
    "simple_history",
    "import_export",
    "guardian",
    "taggit",
]
MIDDLEWARE = [
    "resident.middleware.ResetStateMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
]
