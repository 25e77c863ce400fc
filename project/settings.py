"""The settings of this project, and the only reader of its environment.

With no variable set everything works on one machine with no server. Each variable is explained in
docs/tutorial.md; a file named .env beside manage.py may hold them too.
"""

import os
from pathlib import Path
from typing import ClassVar

import environ
from django.core.exceptions import ImproperlyConfigured

from resident.secrets import Secret

BASE_DIR = Path(__file__).resolve().parent.parent


class Env(environ.Env):  # type: ignore[misc] # it has no types
    """The environment, with what .env adds: a copy, so that .env's secrets stay out of it."""

    ENVIRON: ClassVar[dict[str, str]] = dict(os.environ)


env = Env()
env.read_env(BASE_DIR / ".env")

# Django: a machine on which nothing is configured is a developer's.

DEBUG = env.bool("DEBUG", default="SECRET_KEY" not in env)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
SECRET_KEY = env.str("SECRET_KEY", default="django-insecure-for-development" if DEBUG else "")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set, and DEBUG is off. Set SECRET_KEY to a long random string; "
        "`python -c 'import secrets; print(secrets.token_urlsafe(50))'` makes one."
    )

DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"

INSTALLED_APPS = [
    "resident",
    "greeting",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "resident.middleware.ResetStateMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "resident.middleware.VisitorMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

TIME_ZONE = "UTC"

# WhiteNoise serves what `collectstatic` collected, and what the apps bring where nobody did.
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = True

# An error page shows variables: secrets in them are blotted out.
DEFAULT_EXCEPTION_REPORTER = "resident.debug.MaskedReporter"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {levelname} {process} {name}: {message}", "style": "{"}
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {"resident": {"handlers": ["console"], "level": "INFO"}},
}

# resident

RESIDENT_CREDENTIALS = [
    "DATABASE_URL",
    "FLIPT_API_TOKEN",
    "SECRET_KEY",
    "VAULT_PASS",
    "VAULT_ROLE_ID",
    "VAULT_SECRET_ID",
    "VAULT_TOKEN",
    "VAULT_USER",
    "VAULT_WRAPPED_SECRET_ID",
]

VAULT_ADDR = env.str("VAULT_ADDR", default=env.str("VAULT_HOST", default=""))
VAULT_SECRET_PATH = env.str("VAULT_SECRET_PATH", default="secret/demoapp")
VAULT_USER = env.str("VAULT_USER", default="")
VAULT_PASS = Secret(env.str("VAULT_PASS", default=""))
VAULT_TOKEN = Secret(env.str("VAULT_TOKEN", default=""))
VAULT_NAMESPACE = env.str("VAULT_NAMESPACE", default="")
VAULT_CACERT = env.str("VAULT_CACERT", default="")
FLIPT_API_HOST = env.str("FLIPT_API_HOST", default="")
FLIPT_API_TOKEN = Secret(env.str("FLIPT_API_TOKEN", default=""))

if VAULT_ADDR:
    RESIDENT_SECRETS = {
        "BACKEND": "resident.secrets.vault.Vault",
        "OPTIONS": {
            "addr": VAULT_ADDR,
            "path": VAULT_SECRET_PATH.split(","),
            "auth": {
                "method": env.str("VAULT_AUTH_METHOD", default=""),
                "mount": env.str("VAULT_AUTH_MOUNT", default=""),
                "username": VAULT_USER,
                "password": VAULT_PASS,
                "role_id": Secret(env.str("VAULT_ROLE_ID", default="")),
                "secret_id": Secret(env.str("VAULT_SECRET_ID", default="")),
                "wrapped_secret_id": Secret(env.str("VAULT_WRAPPED_SECRET_ID", default="")),
                "token": VAULT_TOKEN,
                "token_file": env.str("VAULT_TOKEN_FILE", default=""),
                "role": env.str("VAULT_ROLE", default=""),
                "jwt_file": env.str("VAULT_JWT_FILE", default=""),
            },
            "required": ["flipt_api_host", "flipt_api_token"],
            "namespace": VAULT_NAMESPACE,
            "cacert": VAULT_CACERT,
            "client_cert": env.str("VAULT_CLIENT_CERT", default=""),
            "client_key": env.str("VAULT_CLIENT_KEY", default=""),
            "deadline": env.float("VAULT_DEADLINE", default=20.0),
        },
        "INTERVAL": env.float("VAULT_INTERVAL", default=30.0),
        "MAX_AGE": env.float("VAULT_MAX_AGE", default=0.0) or None,
    }
else:
    RESIDENT_SECRETS = {
        "BACKEND": "resident.secrets.environment.Environment",
        "OPTIONS": {
            "values": {"flipt_api_host": FLIPT_API_HOST, "flipt_api_token": FLIPT_API_TOKEN}
        },
    }

RESIDENT_FLAGS = {
    "NAMESPACE": env.str("FLIPT_NAMESPACE", default="default"),
    "NAMESPACES": env.list("FLIPT_NAMESPACES", default=[]),
    "ENVIRONMENT": env.str("FLIPT_ENVIRONMENT", default="default"),
    "FEATURES": BASE_DIR / env.str("FLIPT_FEATURES", default="greeting/features.yml"),
    "INTERVAL": env.float("FLIPT_INTERVAL", default=30.0),
    "DEADLINE": env.float("FLIPT_DEADLINE", default=20.0),
    "FETCH": env.str("FLIPT_FETCH", default="auto"),
    "LAST_KNOWN": env.str("FLIPT_LAST_KNOWN", default=str(BASE_DIR / ".flags")),
    "FALLBACK": env.str("FLIPT_FALLBACK", default=""),
    "TOKEN_TYPE": env.str("FLIPT_TOKEN_TYPE", default="client"),
    "CA": env.str("FLIPT_CACERT", default=""),
    "CLIENT_CERT": env.str("FLIPT_CLIENT_CERT", default=""),
    "CLIENT_KEY": env.str("FLIPT_CLIENT_KEY", default=""),
}

# What `manage.py provision` sets up, with an administrator's tokens.
RESIDENT_PROVISION = {
    "VAULT": {
        "addr": VAULT_ADDR,
        "token": VAULT_TOKEN,
        "path": VAULT_SECRET_PATH.partition(",")[0],
        "username": VAULT_USER,
        "password": VAULT_PASS,
        "namespace": VAULT_NAMESPACE,
        "cacert": VAULT_CACERT,
    },
    "FLIPT": {"url": FLIPT_API_HOST, "token": FLIPT_API_TOKEN},
    "FEATURES": RESIDENT_FLAGS["FEATURES"],
}
