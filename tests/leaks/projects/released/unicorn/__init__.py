"""django-unicorn 0.10.0 keeps every component that it constructs: django-unicorn#75."""

from pathlib import Path

from tests.leaks.projects.project import *  # noqa: F403
from tests.leaks.projects.project import INSTALLED_APPS, TEMPLATES

ROOT_URLCONF = f"{__name__}.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "django_unicorn", __name__]
TEMPLATES = [{**TEMPLATES[0], "DIRS": [Path(__file__).parent / "templates"]}]
DJANGO_UNICORN = {"APPS": [__name__]}
