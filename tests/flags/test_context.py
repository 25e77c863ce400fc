"""Who a request asks for: what is looked up for a flag, and how often."""

import asyncio
import gc
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import login, logout
from django.contrib.auth.models import AnonymousUser, Group, User
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory
from django.urls import path
from django.utils import translation

from resident.exceptions import ConfigurationError
from resident.flags import aflag_enabled, flag_enabled, flag_variant, flags
from resident.flags.context import builder_at, of_request
from tests.flags.asked import Untouched, asked_by, served

Queries = Callable[[int], Any]


@pytest.fixture(autouse=True)
def features(tmp_path: Path) -> Iterator[Path]:
    with served(tmp_path) as found:
        yield found


@pytest.fixture
def author(db: None) -> User:
    """A member of two groups."""
    user = User.objects.create_user("ada", password="known")
    user.groups.add(Group.objects.create(name="readers"), Group.objects.create(name="authors"))
    return user


def constant(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(flag_enabled("launched", request)))


def by_group(request: HttpRequest) -> HttpResponse:
    answers = [flag_enabled("authors_only", request) for _ in range(3)]
    return HttpResponse(str([*answers, flags(request)["authors_only"]]))


async def by_group_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(await aflag_enabled("authors_only", request)))


def before_and_after(request: HttpRequest) -> HttpResponse:
    answers = [flag_enabled("staff_only", request)]
    login(request, User.objects.get(username="ada"))
    answers.append(flag_enabled("staff_only", request))
    logout(request)
    answers.append(flag_enabled("staff_only", request))
    return HttpResponse(str(answers))


urlpatterns = [
    path("constant", constant),
    path("by-group", by_group),
    path("by-group-async", by_group_async),
    path("before-and-after", before_and_after),
]


class TestOfTheRequest:
    """What every project has, without a word in its settings."""

    def test_user(self) -> None:
        assert flag_enabled("staff_only", asked_by(User(pk=1, is_staff=True)))
        assert not flag_enabled("staff_only", asked_by(User(pk=1)))
        assert not flag_enabled("staff_only", asked_by(AnonymousUser()))
        assert not flag_enabled("staff_only")
        assert not flag_enabled("staff_only", RequestFactory().get("/"))

    def test_path_method_host_language(self) -> None:
        request = asked_by(AnonymousUser(), "/basket/3")
        with translation.override("de"):
            assert flag_enabled("in_basket", request)
        for other in (
            asked_by(AnonymousUser(), "/orders"),
            asked_by(AnonymousUser(), "/basket", headers={"host": "localhost"}),
            asked_by(User(pk=1), "/basket"),
        ):
            assert not flag_enabled("in_basket", other)
        with translation.override("fr"):
            assert not flag_enabled("in_basket", asked_by(AnonymousUser(), "/basket"))
        post = RequestFactory().post("/basket")
        assert not flag_enabled("in_basket", post)

    def test_what_each_property_is(self) -> None:
        request = asked_by(User(pk=7, is_superuser=True), "/x")
        told = {name: it(request) for name, it in of_request(request).items() if name != "groups"}
        assert told == {
            "user_id": "7",
            "is_authenticated": True,
            "is_staff": False,
            "is_superuser": True,
            "language": "en-us",
            "host": "testserver",
            "path": "/x",
            "method": "GET",
        }
        assert of_request(request)["groups"](RequestFactory().get("/")) is None
        assert of_request(request)["groups"](asked_by(AnonymousUser())) == ""

    def test_only_what_a_flag_depends_on_is_looked_at(self) -> None:
        user = Untouched()
        request = asked_by(user, "/basket")
        assert not flag_enabled("staff_only", request)
        assert not flag_enabled("staff_only", request)
        assert user.looked_at == ["is_staff"]
        flag_enabled("half", request)
        flag_variant("shades", request)
        assert user.looked_at == ["is_staff", "is_authenticated"]  # the same for both


@pytest.mark.urls(__name__)
class TestQueries:
    def test_none_where_the_answer_is_the_same_for_all(
        self, author: User, django_assert_num_queries: Queries
    ) -> None:
        client = Client()
        client.force_login(author)
        with django_assert_num_queries(0):
            assert client.get("/constant").content == b"True"

    def test_one_for_groups(self, author: User, django_assert_num_queries: Queries) -> None:
        client = Client()
        client.force_login(author)
        with django_assert_num_queries(3):  # of the session, the user and the groups
            response = client.get("/by-group")
        assert response.content == b"[True, True, True, True]"

    def test_none_for_the_groups_of_nobody(
        self, db: None, django_assert_num_queries: Queries
    ) -> None:
        with django_assert_num_queries(0):
            assert Client().get("/by-group").content == b"[False, False, False, False]"

    @pytest.mark.django_db(transaction=True)
    def test_in_an_event_loop(self) -> None:
        user = User.objects.create_user("bob")
        user.groups.add(Group.objects.create(name="authors"))
        client = AsyncClient()
        client.force_login(user)
        assert asyncio.run(client.get("/by-group-async")).content == b"True"

    def test_a_login_in_the_middle_of_a_request(self, author: User) -> None:
        author.is_staff = True
        author.save()
        assert Client().get("/before-and-after").content == b"[False, True, False]"


class TestContextOfTheCall:
    def test_it_comes_before_the_request(self) -> None:
        assert flag_enabled("staff_only", context={"is_staff": True})
        staff = asked_by(User(pk=1, is_staff=True))
        assert not flag_enabled("staff_only", staff, context={"is_staff": False})
        assert flag_enabled("staff_only", staff, context={"plan": "pro"})
        assert not flag_enabled("in_basket", context={"path": "/basket"})

    def test_values_become_strings(self) -> None:
        assert flag_variant("style", context={"plan": "pro"}) == "loud"
        assert flag_variant("style", context={"seats": 12}) == "loud"
        assert flag_variant("style", context={"seats": 9}) is None
        assert flag_variant("style", context={"seats": None}) is None

    def test_an_entity_beside_it(self) -> None:
        request = asked_by(User(pk=1))
        expected = [flag_enabled("half", entity_id=str(it)) for it in range(20)]
        assert [flag_enabled("half", request, entity_id=str(it)) for it in range(20)] == expected
        assert flag_enabled("half", request, context={"plan": "pro"}) == flag_enabled(
            "half", entity_id="1"
        )


calls: list[str] = []


def shops(request: HttpRequest) -> Mapping[str, Any]:
    """A builder of one's own."""
    calls.append("builder")
    return {**of_request(request), "plan": _plan, "seats": 3}


def _plan(request: HttpRequest) -> str:
    calls.append("plan")
    return request.headers.get("Plan", "free")


def broken(request: HttpRequest) -> Mapping[str, Any]:
    raise OSError("no such shop")


class TestABuilderOfOnesOwn:
    @pytest.fixture(autouse=True)
    def _builder(self, tmp_path: Path) -> Iterator[None]:
        calls.clear()
        with served(tmp_path, CONTEXT=f"{__name__}.shops"):
            yield

    def test_it_is_called_once_a_request_and_only_if_a_flag_needs_it(self) -> None:
        request = asked_by(User(pk=1, is_staff=True), headers={"Plan": "pro"})
        assert flag_enabled("launched", request)
        flag_enabled("half", request)
        assert calls == []
        assert flag_enabled("staff_only", request)
        assert calls == ["builder"]
        assert flag_variant("style", request) == "loud"
        assert flag_variant("style", request, entity_id="7") == "loud"
        assert calls == ["builder", "plan"]

    def test_the_context_of_the_call_comes_before_it(self) -> None:
        request = asked_by(AnonymousUser())
        assert flag_variant("style", request) is None
        assert flag_variant("style", request, context={"seats": 10}) == "loud"

    def test_one_that_raises(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        with served(tmp_path, CONTEXT=f"{__name__}.broken"):
            request = asked_by(User(pk=1, is_staff=True))
            assert flag_enabled("launched", request)
            assert flag_variant("style", request, default="quiet") == "quiet"
            assert flag_variant("style", request) is None
        assert caplog.text.count("OSError: no such shop") == 1

    @pytest.mark.parametrize(
        ("where", "problem"),
        [
            ("nowhere.at_all", "which can't be imported"),
            (f"{__name__}.calls", "which is no function"),
        ],
    )
    def test_one_that_is_none(self, where: str, problem: str) -> None:
        with pytest.raises(ConfigurationError, match=problem):
            builder_at(where)


def test_nothing_of_a_request_outlives_it() -> None:
    gc.disable()  # it goes at once, not when the garbage collector comes by
    try:
        request = asked_by(User(pk=1, is_staff=True), "/basket")
        assert flag_enabled("staff_only", request)
        flag_enabled("in_basket", request)
        flag_variant("style", request, context={"plan": "pro"})
        gone, user_gone = weakref.ref(request), weakref.ref(request.user)
        del request
        assert gone() is None
        assert user_gone() is None
    finally:
        gc.enable()
