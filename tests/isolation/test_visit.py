"""An application's requests are visits: each ends once, and what it does at its end is done."""

import contextvars
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from django.core.signals import request_finished
from django.http import HttpResponse

from resident.isolation.context import ISOLATED, IsolatedApplication
from resident.isolation.request import Request
from resident.isolation.resetters import Resetters

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

ended: list[str] = []
tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")


def say_ended(request: Request) -> None:
    ended.append(f"{request} as {tenant.get()}")


@pytest.fixture(autouse=True)
def _none_ended() -> None:
    ended.clear()


class Body:
    """A body that remembers what the server did with it."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = chunks
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            tenant.set("alice")
            yield chunk

    def close(self) -> None:
        self.closed += 1


def visit(application: Application, **environ: Any) -> Any:
    isolated = IsolatedApplication(application, Resetters([f"{__name__}.say_ended"]))
    return isolated({"REQUEST_METHOD": "GET", "PATH_INFO": "/", **environ}, lambda *_: None)


def test_body() -> None:
    body = Body(b"a", b"b")
    response = visit(lambda environ, start: body)
    assert ended == []
    assert list(response) == [b"a", b"b"]
    assert list(response) == []
    response.close()
    response.close()
    assert body.closed == 1
    assert ended == ["GET / as alice"]
    assert tenant.get() == "nobody"


def test_body_that_nobody_reads() -> None:
    body = Body(b"a")
    visit(lambda environ, start: body).close()
    assert (body.closed, ended) == (1, ["GET / as nobody"])


def test_body_without_close() -> None:
    """WSGI asks for none: a list will do."""
    response = visit(lambda environ, start: [b"a"])
    assert list(response) == [b"a"]
    response.close()
    assert ended == ["GET / as nobody"]


def test_application_that_fails() -> None:
    """There is no body to be closed: that was its end."""

    def fail(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        tenant.set("alice")
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        visit(fail)
    assert ended == ["GET / as alice"]


@pytest.mark.parametrize("has_ended_first", [False, True])
def test_close_that_fails(has_ended_first: bool) -> None:
    """The request is finished all the same, and once."""
    finished: list[object] = []
    closed: list[object] = []

    def hear(**_: object) -> None:
        finished.append(None)

    class Response(HttpResponse):
        def close(self) -> None:
            if has_ended_first:
                super().close()
            raise RuntimeError("in close()")

    response = Response(b"a")
    response._resource_closers.append(lambda: closed.append(None))  # type: ignore[attr-defined]
    request_finished.connect(hear)
    try:
        with pytest.raises(RuntimeError, match=r"in close\(\)"):
            visit(lambda environ, start: response).close()
    finally:
        request_finished.disconnect(hear)
    assert (len(finished), len(closed)) == (1, 1)
    assert ended == ["GET / as nobody"]


def test_environ() -> None:
    """Says that the request is isolated, and lets no server close the body by itself."""
    environs = []

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        environs.append(environ)
        return []

    visit(application, **{"wsgi.file_wrapper": print}).close()
    assert environs[0][ISOLATED]
    assert "wsgi.file_wrapper" not in environs[0]
