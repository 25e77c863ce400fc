"""A stable id for visitors who have not logged in: in a signed cookie, and only where it is needed.

A percentage asks who somebody is. Whoever has not logged in is nobody; so that not all of them are
on the same side, each gets an id of his own when a flag first asks for it.
"""

import secrets

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from resident.conf import conf
from resident.flags.engine import NOBODY

__all__ = ["YEAR", "expect", "id_of", "remember"]

SALT = "resident.flags.visitor"
YEAR = 365 * 24 * 60 * 60
"""Seconds for which a browser keeps the cookie, and its signature is good."""

_VISITOR = "_resident_visitor"


class _Visitor:
    """Who sends one request; lives as long as the request.

    Attributes:
        id: the visitor's; "" where nothing has asked for it yet.
        is_new: whether the browser does not know it yet.
    """

    __slots__ = ("id", "is_new")

    def __init__(self) -> None:
        self.id = ""
        self.is_new = False


def expect(request: HttpRequest) -> None:
    """Have an id ready for this request, should it be asked for."""
    setattr(request, _VISITOR, _Visitor())


def id_of(request: HttpRequest) -> str:
    """The id of the visitor, the same for all of the request; that of nobody where none is kept."""
    visitor: _Visitor | None = getattr(request, _VISITOR, None)
    if visitor is None:
        return NOBODY
    if not visitor.id:
        # "" where the cookie is missing, was tampered with, or is older than a year.
        known = request.get_signed_cookie(conf.flags_cookie, "", SALT, max_age=YEAR)
        visitor.id = known or secrets.token_urlsafe(16)
        visitor.is_new = not known
    return visitor.id


def remember(request: HttpRequest, response: HttpResponseBase) -> None:
    """Tell the browser an id that it does not know, and caches that the answer depends on it."""
    visitor: _Visitor = getattr(request, _VISITOR)
    if visitor.id:
        patch_vary_headers(response, ["Cookie"])
    if visitor.is_new:
        response.set_signed_cookie(
            conf.flags_cookie,
            visitor.id,
            salt=SALT,
            max_age=YEAR,
            secure=request.is_secure(),
            httponly=True,
            samesite="Lax",
        )
