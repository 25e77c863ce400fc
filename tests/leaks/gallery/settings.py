"""The settings of the shop that leaks."""

import os
from pathlib import Path

ROOT_URLCONF = "tests.leaks.gallery.urls"
SECRET_KEY = "of a shop that nobody visits"
ALLOWED_HOSTS = ["shop.example"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SHOP_DATABASE", ":memory:"),
        "CONN_MAX_AGE": None,
    }
}
INSTALLED_APPS = [
    "resident",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
]
MIDDLEWARE = [
    "resident.middleware.ResetStateMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "tests.leaks.gallery.middleware.Tenant",
    "tests.leaks.gallery.middleware.Audit",
    "tests.leaks.gallery.middleware.journal",
    "tests.leaks.gallery.middleware.journal_of_request",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
        "OPTIONS": {"libraries": {"shop_tags": "tests.leaks.gallery.shop_tags"}},
    }
]
SHOP_HOURS: list[int] = []  # defined: in-settings
