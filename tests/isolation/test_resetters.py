"""What RESIDENT_RESETTERS names runs after each request, in order, whatever one of them does."""

import logging
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from resident.exceptions import ConfigurationError
from resident.isolation import packages
from resident.isolation.report import reports
from resident.isolation.request import Request
from resident.isolation.resetters import ResetterNotUsed, Resetters

REQUEST = Request({"REQUEST_METHOD": "GET", "PATH_INFO": "/basket"})
diary: list[str] = []


@pytest.fixture(autouse=True)
def _empty_diary() -> Iterator[None]:
    yield
    diary.clear()


def reset_basket(request: Request) -> None:
    diary.append(f"reset_basket after {request}")


class Counted:
    """All three phases; each request's `begun` is its own."""

    def __init__(self) -> None:
        self._count = 0

    def begin(self) -> int:
        self._count += 1
        diary.append(f"begin {self._count}")
        return self._count

    def settle(self, request: Request, begun: int) -> None:
        diary.append(f"settle {begun}")

    def reset(self, request: Request, begun: int) -> None:
        diary.append(f"reset {begun}")


class OnlySettles:
    def settle(self, request: Request, begun: None) -> None:
        diary.append(f"settle, begun {begun}")


class OnlyBegins:
    def begin(self) -> None:
        diary.append("begin only")


class NotUsed:
    def __init__(self) -> None:
        raise ResetterNotUsed

    def reset(self, request: Request, begun: None) -> None:
        diary.append("never")


class FailsToBegin:
    def begin(self) -> None:
        raise RuntimeError("at the start")

    def reset(self, request: Request, begun: object) -> None:
        diary.append("never")


def fail(request: Request) -> None:
    raise RuntimeError("in the midst")


def leave(request: Request) -> None:
    sys.exit()


def here(*names: str) -> list[str]:
    return [f"{__name__}.{name}" for name in names]


def visit(resetters: Resetters) -> None:
    begun = resetters.begin()
    diary.append("request")
    resetters.settle(REQUEST, begun)
    resetters.reset(REQUEST, begun)


def test_order() -> None:
    resetters = Resetters(here("OnlySettles", "reset_basket", "Counted", "NotUsed", "OnlyBegins"))
    visit(resetters)
    assert diary == [
        "begin 1",
        "begin only",
        "request",
        "settle, begun None",
        "settle 1",
        "reset_basket after GET /basket",
        "reset 1",
    ]


def test_each_request_is_given_what_its_own_begin_gave() -> None:
    """Also where two run at a time, and end in another order."""
    resetters = Resetters(here("Counted"))
    first, second = resetters.begin(), resetters.begin()
    resetters.reset(REQUEST, first)
    resetters.reset(REQUEST, second)
    assert diary == ["begin 1", "begin 2", "reset 1", "reset 2"]


@pytest.mark.parametrize("failing", ["fail", "leave"])
def test_one_that_fails(failing: str, caplog: pytest.LogCaptureFixture) -> None:
    failed = reports.counts["failed resetter"]
    visit(Resetters(here(failing, "reset_basket")))
    assert diary == ["request", "reset_basket after GET /basket"]
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("resident.isolation", logging.ERROR)
    assert record.getMessage() == f"The resetter {__name__}.{failing} failed after GET /basket."
    assert record.exc_info
    assert reports.counts["failed resetter"] == failed + 1


def test_one_that_fails_to_begin(caplog: pytest.LogCaptureFixture) -> None:
    """It is given nothing that it could put back, and the others are given theirs."""
    visit(Resetters(here("FailsToBegin", "Counted")))
    assert diary == ["begin 1", "request", "settle 1", "reset 1"]
    assert "FailsToBegin failed before a request." in caplog.text


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("no.such.resetter", "can't be imported"),
        (f"{__name__}.REQUEST", "no function"),
        ("pathlib.Path", "no class with a method begin, settle or reset"),
    ],
)
def test_what_is_no_resetter(named: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as raised:
        Resetters([named])
    assert repr(named) in str(raised.value)


def view(request: HttpRequest) -> HttpResponse:
    diary.append("view")
    return HttpResponse("seen")


class urlconf:  # noqa: N801 - it stands for a module
    urlpatterns = (path("basket", view),)


@override_settings(
    ROOT_URLCONF=urlconf,
    MIDDLEWARE=["resident.middleware.ResetStateMiddleware"],
    RESIDENT_RESETTERS=here("Counted", "reset_basket"),
)
def test_resetters_of_a_project() -> None:
    Client().get("/basket")
    assert diary == ["begin 1", "view", "settle 1", "reset 1", "reset_basket after GET /basket"]


@override_settings(
    ROOT_URLCONF=urlconf,
    MIDDLEWARE=["resident.middleware.ResetStateMiddleware"],
    RESIDENT_RESETTERS=["shop.no_such"],
)
def test_a_wrong_path_is_said_before_the_first_request() -> None:
    with pytest.raises(ConfigurationError, match=r"'shop\.no_such'"):
        Client().get("/basket")
    assert diary == []


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"REQUEST_METHOD": "GET", "PATH_INFO": "/a", "QUERY_STRING": "token=1"}, "GET /a"),
        ({"REQUEST_METHOD": "PUT", "SCRIPT_NAME": "/shop", "PATH_INFO": "/a"}, "PUT /shop/a"),
        ({"REQUEST_METHOD": "GET", "PATH_INFO": "/\xc3\xa9"}, "GET /é"),
        ({"REQUEST_METHOD": "GET", "PATH_INFO": "/\xff"}, "GET /\N{REPLACEMENT CHARACTER}"),
        ({}, " "),
    ],
)
def test_request(environ: dict[str, Any], expected: str) -> None:
    """Without its query, which may hold what no log should."""
    assert str(Request(environ)) == expected


def test_a_recipe_is_not_used_where_its_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda _: None)
    for recipe in (packages.SentryScope, packages.TenantSchema, packages.CrequestThread):
        with pytest.raises(ResetterNotUsed):
            recipe()


def test_a_connection_without_tenants_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Connection:
        schema = "hers"

        def set_schema_to_public(self) -> None:
            self.schema = "public"

    plain, with_tenants = object(), Connection()
    opened = SimpleNamespace(all=lambda **_: [plain, with_tenants])
    monkeypatch.setattr(packages, "connections", opened)
    monkeypatch.setattr(settings, "MIDDLEWARE", ["django_tenants.middleware.TenantMainMiddleware"])
    packages.TenantSchema().reset(REQUEST, None)
    assert with_tenants.schema == "public"
