"""A shop whose flags are looked at in the admin."""

import os

from tests.settings import *  # noqa: F403

DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "benchmarks.variants.shop_urls"
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["SHOP_DATABASE"]}
}
RESIDENT_SECRETS = {"OPTIONS": {"values": {"flipt_api_host": os.environ["SHOP_FLIPT"]}}}
RESIDENT_FLAGS = {"DEADLINE": 10.0}
