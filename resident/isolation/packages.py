"""Widespread packages whose state the other resetters can't reach: one recipe for each.

A recipe is active only where the project uses its package, and takes the package's own, public way.
"""

import sys
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec

from django.conf import settings
from django.db import connections

from resident.isolation.request import Request
from resident.isolation.resetters import ResetterNotUsed

__all__ = [
    "CLIENTS",
    "LIBRARIES",
    "CrequestThread",
    "RequestIdThread",
    "SentryScope",
    "TenantSchema",
]

LIBRARIES = frozenset({"structlog"})
"""No apps, and yet their thread-locals hold what belongs to a request: they are searched too."""

CLIENTS = frozenset({"boto3"})
"""What they make is a client, which a thread keeps, though it has no `close`."""


class TenantSchema:
    """django-tenants, django-tenant-schemas: the connection believes in the last tenant's schema.

    They write it into the settings of the connection, too, which all threads share.
    """

    def __init__(self) -> None:
        _need("django_tenants", "tenant_schemas")

    def reset(self, request: Request, begun: None) -> None:  # noqa: ARG002 - a resetter's arguments
        for connection in connections.all(initialized_only=True):
            if hasattr(connection, "set_schema_to_public"):
                connection.set_schema_to_public()


class SentryScope:
    """sentry-sdk without its Django integration: all requests of a thread share one scope.

    Once anything has made a scope outside of a request, each request's context refers to that one.
    """

    def __init__(self) -> None:
        if find_spec("sentry_sdk") is None:
            raise ResetterNotUsed

    def begin(self) -> ExitStack | None:
        sentry = sys.modules.get("sentry_sdk")
        if sentry is None or sentry.get_client().get_integration("django") is not None:
            return None
        scope = ExitStack()
        scope.enter_context(sentry.isolation_scope())
        return scope

    def reset(self, request: Request, begun: ExitStack | None) -> None:  # noqa: ARG002 - as above
        if begun is not None:
            begun.close()


class CrequestThread:
    """django-crequest: the request in a dict by thread, which stays where a view ends badly."""

    def __init__(self) -> None:
        _need("crequest")
        self._middleware = import_module("crequest.middleware").CrequestMiddleware

    def reset(self, request: Request, begun: None) -> None:  # noqa: ARG002 - a resetter's arguments
        self._middleware.del_request()


class RequestIdThread:
    """django-request-id: the id in a dict by thread, which stays where a view ends badly."""

    def __init__(self) -> None:
        _need("request_id")
        self._package = import_module("request_id")

    def reset(self, request: Request, begun: None) -> None:  # noqa: ARG002 - a resetter's arguments
        self._package.release_local(self._package.local)


def _need(*packages: str) -> None:
    """Raise `ResetterNotUsed` where the project lists none of them."""
    listed = {path.partition(".")[0] for path in [*settings.INSTALLED_APPS, *settings.MIDDLEWARE]}
    if not listed & {*packages}:
        raise ResetterNotUsed
