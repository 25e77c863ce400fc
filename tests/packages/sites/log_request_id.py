"""django-log-request-id keeps its id in one of asgiref's Locals."""

import logging

from django.urls import path

from tests.packages.project import *  # noqa: F403
from tests.packages.project import LOOK_EARLY, leave_by_exit

ROOT_URLCONF = __name__
MIDDLEWARE = [LOOK_EARLY, "log_request_id.middleware.RequestIDMiddleware"]
LOG_REQUEST_ID_HEADER = "HTTP_X_CORRELATION_ID"
NO_REQUEST_ID = ""

urlpatterns = [path("leave", leave_by_exit)]


def found() -> str:
    """The id that the next record is logged with."""
    from log_request_id.filters import RequestIDFilter  # noqa: PLC0415 - needs the settings

    record = logging.makeLogRecord({})
    RequestIDFilter().filter(record)
    return str(record.request_id)  # type: ignore[attr-defined]
