"""Who is asked about on a command line: an entity or a user, with a context."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.http import HttpRequest

from resident.exceptions import FlagsError, ResidentError
from resident.flags.context import subject_of
from resident.flags.document import Flag
from resident.flags.subject import Subject

__all__ = ["subject_asked"]


def subject_asked(
    flag: Flag, *, entity: str | None, user: str | None, context: Iterable[str]
) -> Subject:
    """Whom the flag is asked about.

    Args:
        flag: it decides which properties matter.
        entity: an entity's id.
        user: the name of a user, instead.
        context: further properties, each as "name=value".

    Raises:
        ResidentError: there is no such user, or the context can't be built.
    """
    properties = _context(context)
    request = None if user is None else _request_of(_user(user))
    reason = ""
    try:
        return subject_of(flag, request, entity, properties)
    except ResidentError:
        raise
    except Exception as error:  # noqa: BLE001 - what builds the context is the project's
        reason = f"{type(error).__name__}: {error}"
    raise FlagsError(
        f"The context of the user {user!r} can't be built: {reason}.",
        remedy="see RESIDENT_FLAGS['CONTEXT'], or give an --entity and what matters as --context.",
    )


def _context(pairs: Iterable[str]) -> dict[str, str]:
    return dict(_pair(pair) for pair in pairs)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise FlagsError(
            f"--context {text!r} is no pair of name and value.",
            remedy="write it as plan=pro.",
        )
    return name, value


def _user(name: str) -> Any:
    users = get_user_model()
    try:
        return users._default_manager.get_by_natural_key(name)  # noqa: SLF001 - as Django's login
    except users.DoesNotExist:
        raise FlagsError(
            f"There is no user {name!r}.",
            remedy="give the name with which a user logs in, or an --entity.",
        ) from None


def _request_of(user: Any) -> HttpRequest:
    """A request as this user could make it, to the first host of the settings."""
    request = HttpRequest()
    hosts = [host.lstrip(".") for host in settings.ALLOWED_HOSTS if host != "*"]
    request.META = {"HTTP_HOST": next(iter(hosts), "localhost")}
    request.method = "GET"
    request.path = request.path_info = "/"
    request.user = user
    return request
