"""The project's settings as on a machine where nothing is configured, whatever this one's are."""

import os
from unittest import mock

NOT_OURS = ("VAULT_", "FLIPT_", "DATABASE_URL", "SECRET_KEY", "DEBUG", "ALLOWED_HOSTS")

with mock.patch.dict(os.environ), mock.patch("environ.Env.read_env"):
    for name in [name for name in os.environ if name.startswith(NOT_OURS)]:
        del os.environ[name]
    os.environ["FLIPT_LAST_KNOWN"] = ""  # a Flipt of a test is none of the next
    from project.settings import *  # noqa: F403

WHITENOISE_AUTOREFRESH = True  # nobody has run collectstatic

RESIDENT_MASK_LOGS = False  # what resident itself logs is searched for secrets

# To hash slowly is what a password of the tests does not need.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
