"""django-filter, django-tables2 and django-crispy-forms: a list that can be narrowed."""

from tests.leaks.projects.project import *  # noqa: F403
from tests.leaks.projects.project import INSTALLED_APPS

ROOT_URLCONF = f"{__name__}.urls"
INSTALLED_APPS = [
    *INSTALLED_APPS,
    "django_filters",
    "django_tables2",
    "crispy_forms",
    "crispy_bootstrap5",
    __name__,
]
CRISPY_ALLOWED_TEMPLATE_PACKS = CRISPY_TEMPLATE_PACK = "bootstrap5"
