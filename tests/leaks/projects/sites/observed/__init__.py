"""sentry-sdk and django-structlog: each request is described to whoever reads logs and traces."""

import sentry_sdk
import structlog

from tests.leaks.projects.project import *  # noqa: F403
from tests.leaks.projects.project import INSTALLED_APPS, MIDDLEWARE

ROOT_URLCONF = f"{__name__}.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "django_structlog"]
MIDDLEWARE = [*MIDDLEWARE, "django_structlog.middlewares.RequestMiddleware"]

structlog.configure(
    processors=[structlog.contextvars.merge_contextvars, structlog.stdlib.render_to_log_kwargs],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)


def before_send(event: object, hint: object) -> None:
    """Nothing leaves this machine."""


sentry_sdk.init(
    dsn="http://public@127.0.0.1:9/1",
    traces_sample_rate=1.0,
    send_default_pii=True,
    before_send=before_send,
    before_send_transaction=before_send,
)
