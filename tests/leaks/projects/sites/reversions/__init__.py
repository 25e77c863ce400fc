"""django-reversion, django-auditlog and django-hijack: who changed what, in the admin."""

from tests.leaks.projects.project import *  # noqa: F403
from tests.leaks.projects.project import INSTALLED_APPS, MIDDLEWARE

ROOT_URLCONF = f"{__name__}.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "reversion", "auditlog", "hijack", "hijack.contrib.admin"]
MIDDLEWARE = [
    *MIDDLEWARE,
    "hijack.middleware.HijackUserMiddleware",
    "auditlog.middleware.AuditlogMiddleware",
    "reversion.middleware.RevisionMiddleware",
]
