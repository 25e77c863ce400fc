"""Visitors who have not logged in: who gets an id, how it is kept, and what it is worth."""

import asyncio
import time
from collections.abc import Iterator
from http.cookies import Morsel
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import login, logout
from django.contrib.auth.models import User
from django.core import signing
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path

from resident.flags import aflag_enabled, flag_enabled, flag_variant
from resident.flags.context import subject_of
from resident.flags.resource import current
from tests.flags.asked import served

VISITOR = "resident.middleware.VisitorMiddleware"
MIDDLEWARE = [
    "resident.middleware.ResetStateMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    VISITOR,
]


def entity(request: HttpRequest) -> str:
    """Whom a percentage goes by."""
    return subject_of(current()["default"].flags["half"], request).entity_id


def constant(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(flag_enabled("launched", request)))


def by_path(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(flag_enabled("in_basket", request)))


def half(request: HttpRequest) -> HttpResponse:
    answers = {flag_enabled("half", request) for _ in range(3)}
    assert len(answers) == 1
    return HttpResponse(entity(request))


async def half_async(request: HttpRequest) -> HttpResponse:
    await aflag_enabled("half", request)
    return HttpResponse(entity(request))


def shades(request: HttpRequest) -> HttpResponse:
    return HttpResponse(flag_variant("shades", request) or "")


def somebody(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(flag_enabled("half", request, entity_id="3")))


def streamed(request: HttpRequest) -> StreamingHttpResponse:
    def body() -> Iterator[str]:
        for _ in range(3):
            yield entity(request) + " "

    return StreamingHttpResponse(body())


def enter(request: HttpRequest) -> HttpResponse:
    before = entity(request)
    login(request, User.objects.get(username="ada"))
    return HttpResponse(f"{before} {entity(request)}")


def enter_and_leave(request: HttpRequest) -> HttpResponse:
    before = entity(request)
    login(request, User.objects.get(username="ada"))
    logout(request)
    return HttpResponse(f"{before} {entity(request)}")


urlpatterns = [
    path("constant", constant),
    path("by-path", by_path),
    path("half", half),
    path("half-async", half_async),
    path("shades", shades),
    path("somebody", somebody),
    path("streamed", streamed),
    path("enter", enter),
    path("enter-and-leave", enter_and_leave),
]

pytestmark = pytest.mark.urls(__name__)


@pytest.fixture(autouse=True)
def _served(tmp_path: Path) -> Iterator[None]:
    with served(tmp_path), override_settings(MIDDLEWARE=MIDDLEWARE):
        yield


def cookie(response: Any) -> "Morsel[str] | None":
    found: Morsel[str] | None = response.cookies.get("resident_visitor")
    return found


class TestWhoGetsOne:
    def test_whoever_is_asked_about_by_a_percentage(self) -> None:
        client = Client()
        response = client.get("/half")
        morsel = cookie(response)
        assert morsel is not None
        assert len(response.text) == 22
        assert morsel.value.startswith(response.text + ":")
        assert response.headers["Vary"] == "Cookie"

    def test_the_shares_of_variants_are_percentages_too(self) -> None:
        assert cookie(Client().get("/shades")) is not None

    def test_each_visitor_one_of_ones_own(self) -> None:
        assert len({Client().get("/half").text for _ in range(5)}) == 5

    @pytest.mark.parametrize("page", ["/constant", "/somebody"])
    def test_nobody_else(self, page: str) -> None:
        response = Client().get(page)
        assert cookie(response) is None
        assert "Vary" not in response.headers

    def test_nobody_who_is_asked_about_by_properties(self) -> None:
        response = Client().get("/by-path")
        assert cookie(response) is None
        assert response.headers["Vary"] == "Cookie"  # one of them is the user's

    def test_no_user(self, db: None) -> None:
        client = Client()
        user = User.objects.create_user("ada")
        client.force_login(user)
        response = client.get("/half")
        assert response.text == str(user.pk)
        assert cookie(response) is None

    def test_without_the_middleware_all_are_one(self) -> None:
        with override_settings(MIDDLEWARE=MIDDLEWARE[:-1]):
            response = Client().get("/half")
        assert response.text == "anonymous"
        assert cookie(response) is None


class TestTheCookie:
    def test_its_attributes(self) -> None:
        morsel = cookie(Client().get("/half"))
        assert morsel is not None
        assert morsel["httponly"] is True
        assert morsel["samesite"] == "Lax"
        assert morsel["max-age"] == 365 * 24 * 60 * 60
        assert morsel["path"] == "/"
        assert morsel["secure"] == ""
        assert morsel["domain"] == ""

    def test_it_is_secure_where_the_request_is(self) -> None:
        morsel = cookie(Client().get("/half", secure=True))
        assert morsel is not None
        assert morsel["secure"] is True

    def test_it_is_set_once(self) -> None:
        client = Client()
        first = client.get("/half")
        second = client.get("/half")
        assert second.text == first.text
        assert cookie(second) is None
        assert second.headers["Vary"] == "Cookie"

    def test_caches_are_told_without_sessions_too(self) -> None:
        with override_settings(MIDDLEWARE=[MIDDLEWARE[0], VISITOR]):
            client = Client()
            assert client.get("/half").headers["Vary"] == "Cookie"
            assert client.get("/half").headers["Vary"] == "Cookie"
            assert "Vary" not in client.get("/constant").headers

    def test_one_that_is_not_asked_for_is_not_looked_at(self) -> None:
        client = Client()
        client.get("/half")
        assert "Vary" not in client.get("/constant").headers

    def test_it_has_another_name(self, tmp_path: Path) -> None:
        with served(tmp_path, COOKIE="who"):
            client = Client()
            response = client.get("/half")
            assert set(response.cookies) == {"who"}
            assert client.get("/half").text == response.text

    @pytest.mark.parametrize(
        "tampered",
        [
            "",
            "chosen",
            "chosen:1tXyZ:signature",
            signing.get_cookie_signer(salt="another").sign("chosen"),
        ],
        ids=["empty", "unsigned", "signed by nobody", "signed for something else"],
    )
    def test_one_that_was_tampered_with_is_replaced(self, tampered: str) -> None:
        client = Client()
        client.cookies["resident_visitor"] = tampered
        response = client.get("/half")
        morsel = cookie(response)
        assert morsel is not None
        assert morsel.value.startswith(response.text)
        assert "chosen" not in response.text
        assert client.get("/half").text == response.text

    def test_another_visitors_id_can_not_be_taken_on(self) -> None:
        client = Client()
        known = client.get("/half").text
        client.cookies["resident_visitor"] = known + client.cookies["resident_visitor"].value[22:-1]
        assert client.get("/half").text != known

    @pytest.mark.parametrize(("days", "is_kept"), [(364, True), (366, False)])
    def test_it_ends_after_a_year(
        self, days: int, is_kept: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = Client()
        then = signing.b62_encode(int(time.time()) - days * 24 * 60 * 60)
        with monkeypatch.context() as patch:
            patch.setattr(signing.TimestampSigner, "timestamp", lambda _: then)
            first = client.get("/half").text
        assert (client.get("/half").text == first) is is_kept

    def test_a_key_that_is_rotated_out_keeps_it(self) -> None:
        client = Client()
        with override_settings(SECRET_KEY="the first"):
            first = client.get("/half").text
        with override_settings(SECRET_KEY="the second", SECRET_KEY_FALLBACKS=["the first"]):
            assert client.get("/half").text == first


class TestLogins:
    def test_nothing_of_it_is_left_with_the_user(self, db: None) -> None:
        user = User.objects.create_user("ada")
        client = Client()
        before, after = client.get("/enter").text.split()
        assert after == str(user.pk)
        assert before not in str(dict(client.session))
        assert client.get("/half").text == str(user.pk)
        client.logout()
        assert client.get("/half").text not in {str(user.pk), "anonymous"}

    def test_it_is_the_same_after_a_login_within_the_request(self, db: None) -> None:
        User.objects.create_user("ada")
        response = Client().get("/enter-and-leave")
        before, after = response.text.split()
        assert before == after
        assert before in str(cookie(response))


class TestStreams:
    """The headers are out when the body asks."""

    def test_it_is_the_same_for_all_of_the_body_and_ends_with_it(self) -> None:
        client = Client()
        response = client.get("/streamed")
        ids = set(response.getvalue().decode().split())
        assert len(ids) == 1
        assert ids != {"anonymous"}
        assert cookie(response) is None

    def test_one_that_is_known_is_used(self) -> None:
        client = Client()
        known = client.get("/half").text
        assert set(client.get("/streamed").getvalue().decode().split()) == {known}


class TestAsynchronously:
    def test_it_is_kept(self) -> None:
        async def visit() -> list[Any]:
            client = AsyncClient()
            return [await client.get("/half-async"), await client.get("/half-async")]

        first, second = asyncio.run(visit())
        assert cookie(first) is not None
        assert first.headers["Vary"] == "Cookie"
        assert second.text == first.text
        assert cookie(second) is None
