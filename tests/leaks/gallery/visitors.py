"""What a request tells about who sent it."""

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse

__all__ = ["address", "agent", "answer", "correlation", "person", "session_key"]


def agent(request: HttpRequest) -> str:
    return request.headers.get("User-Agent", "")


def correlation(request: HttpRequest) -> str:
    return request.headers.get("X-Request-ID", "")


def address(request: HttpRequest) -> str:
    return str(request.META["REMOTE_ADDR"])


def session_key(request: HttpRequest) -> str:
    return request.session.session_key or ""


def person(request: HttpRequest) -> User:
    assert isinstance(request.user, User), "this page is for those who have signed in"
    return request.user


def answer(text: object = "") -> HttpResponse:
    return HttpResponse(str(text), content_type="text/plain")
