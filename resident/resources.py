"""All resources of a worker that serves, in the order in which they are opened."""

from typing import Any

from django.utils.module_loading import import_string

from resident.conf import conf
from resident.exceptions import ConfigurationError
from resident.worker import Resource, secrets

__all__ = ["resources"]


def resources() -> list[Resource[Any]]:
    """Secrets, flags where RESIDENT_FLAGS is set, then those of RESIDENT_RESOURCES.

    Raises:
        ConfigurationError: a dotted path leads nowhere.
    """
    flags = ["resident.flags.resource.flags"] if conf.has_flags else []
    return [secrets, *(_imported(path) for path in [*flags, *conf.resources])]


def _imported(path: str) -> Resource[Any]:
    try:
        resource: Resource[Any] = import_string(path)
    except ImportError as error:
        raise ConfigurationError(
            f"RESIDENT_RESOURCES names {path!r}, which can't be imported: {error}.",
            remedy="name a generator function, as in 'shop.search.client'.",
        ) from None
    return resource
