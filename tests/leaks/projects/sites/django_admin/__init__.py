"""Django's own admin, with nothing besides."""

from tests.leaks.projects.project import *  # noqa: F403

ROOT_URLCONF = f"{__name__}.urls"
