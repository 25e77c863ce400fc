"""The same for one process, beside django-waffle, whose flags are in SQLite and its cache."""

from benchmarks.variants.flagged import *  # noqa: F403

INSTALLED_APPS = ["resident", "django.contrib.contenttypes", "django.contrib.auth", "waffle"]
MIDDLEWARE = ["waffle.middleware.WaffleMiddleware"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
LOGGING_CONFIG = None
