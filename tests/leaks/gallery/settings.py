"""The settings of the shop that leaks."""

import os
from pathlib import Path

from tests.leaks.accounts import *  # noqa: F403
from tests.leaks.accounts import MIDDLEWARE as OF_PROJECT

ROOT_URLCONF = "tests.leaks.gallery.urls"
ALLOWED_HOSTS = ["shop.example"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SHOP_DATABASE", ":memory:"),
        "CONN_MAX_AGE": None,
    }
}
MIDDLEWARE = [
    *OF_PROJECT,
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
