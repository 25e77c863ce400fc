"""The project with a page that shows what a request knows."""

from project.settings import *  # noqa: F403

ROOT_URLCONF = "tests.meta_urls"
