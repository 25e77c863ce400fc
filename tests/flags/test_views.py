"""Views and URLs that are there only while a flag says so, sync and async."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import resolve, reverse
from django.views import View

from resident.exceptions import ConfigurationError
from resident.flags import flag_enabled, flag_required, flagged_path
from resident.testing import override_flag
from tests.flags import pages
from tests.flags.asked import served

pytestmark = pytest.mark.urls(pages.__name__)

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
ON = override_flag("staff_only", True)


@pytest.fixture(autouse=True)
def _served(tmp_path: Path) -> Iterator[None]:
    with served(tmp_path), override_settings(MIDDLEWARE=MIDDLEWARE):
        yield


def get(url: str, method: str = "get") -> Any:
    """The response in a thread and that in an event loop; they are alike."""
    response = getattr(Client(), method)(url)
    again = asyncio.run(getattr(AsyncClient(), method)(url))
    assert again.status_code == response.status_code
    assert again.headers.get("Location") == response.headers.get("Location")
    if response.status_code == 200:
        assert again.content == response.content
    return response


GUARDED = [
    ("/function", "the page"),
    ("/function/async", "the async page"),
    ("/class", "the page"),
    ("/class/async", "the async page"),
    ("/decorated", "the page"),
    ("/decorated/method", "the page"),
    ("/decorated/method/async", "the async page"),
    ("/mixed", "the page"),
    ("/mixed/async", "the async page"),
    ("/path/3", "the page n=3 more=x"),
    ("/path/async", "the async page"),
    ("/included/shoes/page/3", "the page shop=shoes more=x number=3"),
    ("/included/shoes/deep/page", "the page shop=shoes more=x"),
]


@pytest.mark.parametrize(("url", "text"), GUARDED)
def test_it_is_not_found_while_the_flag_is_off(url: str, text: str) -> None:
    assert get(url).status_code == 404
    with ON:
        assert get(url).text == text


OTHERWISE = [
    ("/otherwise/3", "the page n=3", "the other page n=3"),
    ("/otherwise/its-async", "the page", "the other async page"),
    ("/otherwise/async", "the async page", "the other async page"),
    ("/otherwise/its-sync", "the async page", "the other page"),
    ("/decorated/async", "the async page", "the other page"),
    ("/mixed/otherwise/3", "the page n=3", "the other page n=3"),
    ("/mixed/otherwise/async", "the async page", "the other page"),
    ("/mixed/otherwise/its-async", "the page", "the other async page"),
    ("/path/class", "the page", "the other page"),
    ("/otherwise/page/3", "the page number=3", "the other page number=3"),
]


@pytest.mark.parametrize(("url", "text", "otherwise"), OTHERWISE)
def test_another_view_answers(url: str, text: str, otherwise: str) -> None:
    assert get(url).text == otherwise
    with ON:
        assert get(url).text == text


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("/elsewhere", "/"),
        ("/elsewhere/async", "/x?y=1"),
        ("/mixed/elsewhere", "/"),
        ("/mixed/elsewhere/async", "/"),
        ("/path/elsewhere", "/"),
    ],
)
def test_it_redirects(url: str, target: str) -> None:
    response = get(url)
    assert (response.status_code, response.headers["Location"]) == (302, target)
    with ON:
        assert get(url).status_code == 200


class TestWhatTheFlagHasToAnswer:
    def test_off(self) -> None:
        assert get("/off").status_code == 200
        assert get("/off/page/3").text == "the page number=3"
        with ON:
            assert get("/off").status_code == 404
            assert get("/off/page/3").status_code == 404

    @pytest.mark.parametrize("where", ["/loud", "/mixed/loud"])
    def test_a_variant(self, where: str) -> None:
        assert get(f"{where}/pro").text == "the page plan=pro"
        assert get(f"{where}/free").status_code == 404

    def test_a_variant_of_an_async_view(self) -> None:
        assert get("/loud/async/pro").text == "the async page"
        assert get("/loud/async/free").status_code == 404

    def test_the_default(self) -> None:
        assert get("/default").status_code == 200
        assert get("/path/loud").status_code == 200
        assert get("/declared").status_code == 200
        with override_flag("declared_page", False):
            assert get("/declared").status_code == 404


@pytest.mark.parametrize("where", ["/team", "/mixed/team"])
def test_somebody_else_may_be_asked_about(where: str) -> None:
    for team in map(str, range(10)):
        found = get(f"{where}/{team}").status_code == 200
        assert found is flag_enabled("half", entity_id=team)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("url", [url for url, _ in GUARDED] + ["/decorated/async"])
def test_the_user_is_looked_up(url: str) -> None:
    user = User.objects.create_user("ada", is_staff=True)
    client, asynchronous = Client(), AsyncClient()
    client.force_login(user)
    asynchronous.force_login(user)
    for response in (client.get(url), asyncio.run(asynchronous.get(url))):
        assert response.status_code == 200
        assert b"other" not in response.content


class TestUrls:
    def test_they_are_reversed_whatever_the_flag_says(self) -> None:
        assert reverse("flagged", args=[3], kwargs=None) == "/path/3"
        assert reverse("space:included", args=["shoes", 3]) == "/included/shoes/page/3"

    def test_what_resolves_them_knows_where_it_is(self) -> None:
        match = resolve("/included/shoes/page/3")
        assert match.namespaces == ["space"]
        assert match.app_names == ["app"]
        assert match.view_name == "space:included"
        assert match.kwargs == {"shop": "shoes", "number": 3, "more": "x"}
        assert match.func.__name__ == "page"
        with pytest.raises(Http404):
            match.func(RequestFactory().get("/included/shoes/page/3"))

    def test_what_is_not_there_is_not_found(self) -> None:
        with ON:
            assert get("/included/shoes/nothing").status_code == 404

    def test_what_is_no_view(self) -> None:
        with pytest.raises(TypeError, match="as_view"):
            flagged_path("staff_only", "x", View())  # as Django's own path


class TestDecorator:
    def test_it_keeps_what_the_view_is(self) -> None:
        guarded = pages.required(pages.page)
        assert guarded.__name__ == "page"
        assert guarded.__wrapped__ is pages.page  # type: ignore[attr-defined]
        client = Client(enforce_csrf_checks=True)
        with ON:
            assert client.post("/exempt").status_code == 200
            assert client.post("/function").status_code == 403

    def test_what_does_not_fit(self) -> None:
        with pytest.raises(ConfigurationError, match="both redirect_to and otherwise"):
            flag_required("staff_only", redirect_to="/", otherwise=pages.other)
        for wrong, problem in [
            ({"value": 1.5}, r"value is 1\.5"),
            ({"value": ""}, "value is ''"),
            ({"default": "plain"}, "default is 'plain', and value True"),
            ({"value": "loud", "default": True}, "default is True, and value 'loud'"),
        ]:
            with pytest.raises(ConfigurationError, match=problem):
                flag_required("staff_only", **wrong)  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="is not the key of a flag"):
            flag_required(pages.page)  # type: ignore[arg-type] # used without brackets


class TestMixin:
    def test_one_that_names_no_flag(self) -> None:
        with pytest.raises(ConfigurationError, match=r"Nameless requires a flag.*\n.*flag_key"):
            Client().get("/mixed/nameless")


def test_a_view_that_answers_at_once_in_an_event_loop() -> None:
    """What `method_decorator` makes of an asynchronous class need not be awaited."""

    class Immediate(pages.AsyncPage):
        def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            return HttpResponse("at once")

    view = Immediate()
    guarded: Any = pages.required(view.dispatch)
    with ON:
        response = asyncio.run(guarded(RequestFactory().get("/")))
    assert response.text == "at once"
