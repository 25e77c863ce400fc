"""What a customer wants to buy."""

import threading
from collections.abc import Callable
from functools import cache, lru_cache, partial

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.leaks.gallery.visitors import address, agent, answer, correlation, person

# A default that is a list; the twin's is a tuple.


def add(item: str, items: list[str] = []) -> list[str]:  # defined: default-list
    items.append(item)  # put in: default-list
    return items


def add_anew(item: str, items: tuple[str, ...] = ()) -> list[str]:
    return [*items, item]


def added(request: HttpRequest) -> HttpResponse:
    return answer(add(agent(request)))


def added_anew(request: HttpRequest) -> HttpResponse:
    return answer(add_anew(agent(request)))


# A default that can only be given by name; the twin's is always the same.


def note(item: str, *, seen: set[str] = set()) -> bool:  # defined: default-by-name
    seen.add(item)  # put in: default-by-name
    return item in seen


def note_kind(item: str, *, kinds: set[str] = set()) -> bool:
    kinds.add(type(item).__name__)
    return item in kinds


def noted(request: HttpRequest) -> HttpResponse:
    return answer(note(address(request)))


def kind_noted(request: HttpRequest) -> HttpResponse:
    return answer(note_kind(address(request)))


# A list in a closure; the twin's is made in each call.


def recorder() -> Callable[[str], int]:
    entries: list[str] = []  # defined: closure-list

    def record(entry: str) -> int:
        entries.append(entry)  # put in: closure-list
        return len(entries)

    return record


def forgetful_recorder() -> Callable[[str], int]:
    def record(entry: str) -> int:
        entries = [entry]
        return len(entries)

    return record


record = recorder()
record_and_forget = forgetful_recorder()


def recorded(request: HttpRequest) -> HttpResponse:
    return answer(record(correlation(request)))


def recorded_and_forgotten(request: HttpRequest) -> HttpResponse:
    return answer(record_and_forget(correlation(request)))


# A variable of a closure that is bound anew; the twin's is a number.


def comparison() -> Callable[[str], bool]:
    last = ""  # defined: closure-nonlocal

    def compare(text: str) -> bool:
        nonlocal last
        is_same = last == text
        last = text  # put in: closure-nonlocal
        return is_same

    return compare


def comparison_of_lengths() -> Callable[[str], bool]:
    last = 0

    def compare(text: str) -> bool:
        nonlocal last
        is_same = last == len(text)
        last = len(text)
        return is_same

    return compare


compare = comparison()
compare_lengths = comparison_of_lengths()


def compared(request: HttpRequest) -> HttpResponse:
    return answer(compare(agent(request)))


def lengths_compared(request: HttpRequest) -> HttpResponse:
    return answer(compare_lengths(agent(request)))


# A list of partials; the twin calls what it has collected, and empties it.

AFTERWARDS: list[Callable[[], HttpResponse]] = []  # defined: partial
AFTERWARDS_NOW: list[Callable[[], HttpResponse]] = []


def later(request: HttpRequest) -> HttpResponse:
    AFTERWARDS.append(partial(answer, agent(request)))  # put in: partial
    return answer()


def later_but_now(request: HttpRequest) -> HttpResponse:
    AFTERWARDS_NOW.append(partial(answer, agent(request)))
    return AFTERWARDS_NOW.pop()()


# A list of bound methods; the twin has one, of an object that is always the same.


class Basket:
    """What one customer wants to buy."""

    def __init__(self, owner: str) -> None:
        self.owner = owner

    def save(self) -> str:
        return self.owner


SAVING: list[Callable[[], str]] = []  # defined: bound-method
SAVING_ONE: list[Callable[[], str]] = []
house_basket = Basket("the house")


def save_later(request: HttpRequest) -> HttpResponse:
    SAVING.append(Basket(address(request)).save)  # put in: bound-method
    return answer()


def save_house_basket_later(request: HttpRequest) -> HttpResponse:
    if house_basket.save not in SAVING_ONE:
        SAVING_ONE.append(house_basket.save)
    return answer()


# An lru_cache on a method, which holds each `self`; the twin's `self` is always the same.


class Bill:
    """What one customer has to pay."""

    @cache
    def total(self) -> int:  # defined: lru-cache-method
        return 7


class Catalogue:
    """All that can be bought; lives as long as the process."""

    @cache
    def total(self) -> int:
        return 7


catalogue = Catalogue()


def pay(request: HttpRequest) -> HttpResponse:
    return answer(Bill().total())  # put in: lru-cache-method


def ask_total(request: HttpRequest) -> HttpResponse:
    return answer(catalogue.total())


# A bounded lru_cache that holds requests; the twin's holds texts.


@lru_cache(maxsize=128)
def may_buy(request: HttpRequest) -> bool:  # defined: lru-cache-request
    return request.method == "GET"


@lru_cache(maxsize=128)
def may_buy_with(agent: str) -> bool:
    return bool(agent)


def buy(request: HttpRequest) -> HttpResponse:
    return answer(may_buy(request))  # put in: lru-cache-request


def buy_with(request: HttpRequest) -> HttpResponse:
    return answer(may_buy_with(agent(request)))


# A bounded lru_cache that holds users; the twin's holds a kind of user.


@lru_cache(maxsize=128)
def allowance(user: User) -> int:  # defined: lru-cache-user
    return 10 if user.is_staff else 5


@lru_cache(maxsize=128)
def allowance_of_kind(is_staff: bool) -> int:
    return 10 if is_staff else 5


def allowed(request: HttpRequest) -> HttpResponse:
    return answer(allowance(person(request)))  # put in: lru-cache-user


def allowed_by_kind(request: HttpRequest) -> HttpResponse:
    return answer(allowance_of_kind(person(request).is_staff))


# A lock for each customer; the twin has one for all.

LOCKS: dict[str, threading.Lock] = {}  # defined: locks
LOCKS_BY_KIND: dict[str, threading.Lock] = {}


def lock(request: HttpRequest) -> HttpResponse:
    with LOCKS.setdefault(agent(request), threading.Lock()):  # put in: locks
        return answer()


def lock_by_kind(request: HttpRequest) -> HttpResponse:
    with LOCKS_BY_KIND.setdefault("basket", threading.Lock()):
        return answer(agent(request))


urlpatterns = [
    path("leak/default-list", added),
    path("clean/default-list", added_anew),
    path("leak/default-by-name", noted),
    path("clean/default-by-name", kind_noted),
    path("leak/closure-list", recorded),
    path("clean/closure-list", recorded_and_forgotten),
    path("leak/closure-nonlocal", compared),
    path("clean/closure-nonlocal", lengths_compared),
    path("leak/partial", later),
    path("clean/partial", later_but_now),
    path("leak/bound-method", save_later),
    path("clean/bound-method", save_house_basket_later),
    path("leak/lru-cache-method", pay),
    path("clean/lru-cache-method", ask_total),
    path("leak/lru-cache-request", buy),
    path("clean/lru-cache-request", buy_with),
    path("leak/lru-cache-user", allowed),
    path("clean/lru-cache-user", allowed_by_kind),
    path("leak/locks", lock),
    path("clean/locks", lock_by_kind),
]
