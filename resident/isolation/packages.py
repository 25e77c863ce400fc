"""Widespread packages whose state the other resetters can't reach: one recipe for each.

A recipe is active only where its package is installed, and takes the package's own, public way.
"""

from contextlib import AbstractContextManager, ExitStack
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.db import connections

from resident.isolation.request import Request
from resident.isolation.resetters import ResetterNotUsed

__all__ = ["LIBRARIES", "CrequestThread", "RequestIdThread", "SentryScope", "TenantSchema"]

LIBRARIES = frozenset({"structlog"})
"""No apps, and yet their thread-locals hold what belongs to a request: they are searched too."""


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
        _need("sentry_sdk")
        self._sentry = import_module("sentry_sdk")

    def begin(self) -> AbstractContextManager[Any]:
        scope = ExitStack()
        if self._sentry.get_client().get_integration("django") is None:
            scope.enter_context(self._sentry.isolation_scope())
        return scope

    def reset(self, request: Request, begun: AbstractContextManager[Any]) -> None:  # noqa: ARG002
        begun.__exit__(None, None, None)


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
    """Raise `ResetterNotUsed` where none of them is installed."""
    if not any(find_spec(package) for package in packages):
        raise ResetterNotUsed
