"""What the middleware does where no isolating application stands around it."""

import asyncio
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, override_settings
from django.utils.datastructures import MultiValueDict

from resident.isolation.context import ISOLATED
from resident.middleware import ResetStateMiddleware
from tests.isolation import site

CLEAN = {"language": "en-us", "time zone": "UTC", "tenant": "", "drawer": ""}

on_the_site = override_settings(
    ROOT_URLCONF=site,
    MIDDLEWARE=["resident.middleware.ResetStateMiddleware"],
    CACHES=site.CACHES,
)


@pytest.mark.parametrize("place", ["view", "stream"])
def test_with_it_alone_a_view_and_a_stream_leave_nothing(place: str) -> None:
    with on_the_site:
        answer = Client().get(f"/{place}")
        assert answer.getvalue() in {b"left", b"en-us de alice"}
        assert site.found() == CLEAN


def test_a_stream_that_fails_fails_as_it_did() -> None:
    with on_the_site:
        answer = Client().get("/stream-fails")
        with pytest.raises(RuntimeError, match="left things behind"):
            answer.getvalue()
        assert site.found() == CLEAN


def test_inside_an_isolated_application_it_steps_aside() -> None:
    """One context is enough; what follows in the request would not see a second one's."""
    request = HttpRequest()
    request.META[ISOLATED] = True

    def view(_: HttpRequest) -> StreamingHttpResponse:
        site.tenant.set("alice")
        return StreamingHttpResponse(["left"])

    before = site.tenant.set("nobody")
    response = ResetStateMiddleware(view)(request)
    assert site.tenant.get() == "alice"
    assert response.getvalue() == b"left"
    site.tenant.reset(before)


def test_under_asgi_it_steps_aside() -> None:
    async def view(_: HttpRequest) -> HttpResponse:
        return HttpResponse("async")

    async def story() -> Any:
        return await ResetStateMiddleware(view)(HttpRequest())

    assert asyncio.run(story()).content == b"async"


def test_the_asynchronous_stack_works_with_it() -> None:
    async def story() -> Any:
        return await AsyncClient().get("/look")

    with on_the_site:
        assert asyncio.run(story()).status_code == 200


class File:
    """An upload's."""

    is_closed = False

    def close(self) -> None:
        self.is_closed = True


def test_a_view_that_exits_closes_its_uploads() -> None:
    file = File()

    def view(request: HttpRequest) -> HttpResponse:
        request._files = MultiValueDict({"file": [file]})  # type: ignore[attr-defined]
        raise SystemExit

    with on_the_site, pytest.raises(SystemExit):
        ResetStateMiddleware(view)(HttpRequest())
    assert file.is_closed
    assert site.found() == CLEAN
