"""django-currentuser 0.5.3 leaves the last request's user to the thread: django-currentuser#49."""

from tests.leaks.projects.project import *  # noqa: F403
from tests.leaks.projects.project import MIDDLEWARE

ROOT_URLCONF = f"{__name__}.urls"
MIDDLEWARE = [*MIDDLEWARE, "django_currentuser.middleware.ThreadLocalUserMiddleware"]
