"""django-components 0.148.0 forgets to forget: django-components#1607.

Its cache extension notes a key for each component that is rendered, and the data of the context
processors are kept in a WeakKeyDictionary by request, although they contain the request.
"""

from pathlib import Path

from tests.leaks.projects.project import *  # noqa: F403
from tests.leaks.projects.project import INSTALLED_APPS

ROOT_URLCONF = f"{__name__}.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "django_components"]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
            ],
            "builtins": ["django_components.templatetags.component_tags"],
        },
    }
]
BASE_DIR = Path(__file__).parent
COMPONENTS = {"autodiscover": False, "dirs": [], "app_dirs": []}
