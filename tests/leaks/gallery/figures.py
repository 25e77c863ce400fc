"""How often, by whom: the shop counts."""

from collections import Counter, defaultdict

from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.leaks.gallery.visitors import address, agent, answer, correlation

# A Counter by visitor; the twin's is by method, and only its numbers change.

HITS: Counter[str] = Counter()  # defined: counter
HITS_BY_METHOD: Counter[str] = Counter()


def hit(request: HttpRequest) -> HttpResponse:
    HITS[agent(request)] += 1  # put in: counter
    return answer()


def hit_by_method(request: HttpRequest) -> HttpResponse:
    HITS_BY_METHOD[request.method or ""] += 1
    return answer()


# Lists in a defaultdict by visitor; the twin is asked for what it does not have.

BASKETS: defaultdict[str, list[str]] = defaultdict(list)  # defined: defaultdict
FULL_BASKETS: defaultdict[str, list[str]] = defaultdict(list)


def fill(request: HttpRequest) -> HttpResponse:
    BASKETS[address(request)].append("apple")  # put in: defaultdict
    return answer()


def look_into(request: HttpRequest) -> HttpResponse:
    return answer(FULL_BASKETS.get(address(request), []))


# A list under a key that is always the same; the twin's is a number.

EVENTS: defaultdict[str, list[str]] = defaultdict(list)  # defined: list-in-dict
NUMBERS_OF_EVENTS: defaultdict[str, int] = defaultdict(int)


def sign_in(request: HttpRequest) -> HttpResponse:
    EVENTS["login"].append(correlation(request))  # put in: list-in-dict
    return answer()


def count_sign_in(request: HttpRequest) -> HttpResponse:
    NUMBERS_OF_EVENTS["login"] += len(correlation(request))
    return answer()


# A function's list; the twin's number.


def track(request: HttpRequest) -> HttpResponse:
    track.calls.append(correlation(request))  # type: ignore[attr-defined] # put in: function-list
    return answer()


track.calls = []  # type: ignore[attr-defined] # defined: function-list


def count(request: HttpRequest) -> HttpResponse:
    count.calls += 1  # type: ignore[attr-defined]
    return answer()


count.calls = 0  # type: ignore[attr-defined]


# What a function remembers of its last call; the twin remembers what it was asked for.


def greet(name: str) -> str:
    greet.last = name  # type: ignore[attr-defined] # put in: function-attribute
    return f"Hello, {name}!"


greet.last = ""  # type: ignore[attr-defined] # defined: function-attribute


def greet_politely(greeting: str) -> str:
    greet_politely.last = greeting  # type: ignore[attr-defined]
    return greeting


greet_politely.last = ""  # type: ignore[attr-defined]


def greeted(request: HttpRequest) -> HttpResponse:
    return answer(greet(agent(request)))


def greeted_politely(request: HttpRequest) -> HttpResponse:
    return answer(greet_politely("Good day!") + agent(request))


urlpatterns = [
    path("leak/counter", hit),
    path("clean/counter", hit_by_method),
    path("leak/defaultdict", fill),
    path("clean/defaultdict", look_into),
    path("leak/list-in-dict", sign_in),
    path("clean/list-in-dict", count_sign_in),
    path("leak/function-list", track),
    path("clean/function-list", count),
    path("leak/function-attribute", greeted),
    path("clean/function-attribute", greeted_politely),
]
