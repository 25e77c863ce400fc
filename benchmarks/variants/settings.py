"""The project's settings, with everything of resident's taken out of the way of a request."""

from project.settings import *  # noqa: F403
from project.settings import INSTALLED_APPS as _APPS
from project.settings import MIDDLEWARE as _MIDDLEWARE

INSTALLED_APPS = [app for app in _APPS if not app.startswith("resident")]
MIDDLEWARE = [path for path in _MIDDLEWARE if not path.startswith("resident.")]
ROOT_URLCONF = "benchmarks.variants.urls"
