"""The shop's search: instances that a module holds, and what they keep."""

import weakref
from multiprocessing.util import Finalize

from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.leaks.gallery.visitors import address, agent, answer, correlation

# An instance that a module holds; the twin's cache is emptied when it is full.


class Engine:
    """Finds articles; lives as long as the process."""

    def __init__(self) -> None:
        self.cache: dict[str, int] = {}  # defined: instance

    def find(self, text: str) -> int:
        self.cache[text] = len(text)  # put in: instance
        return self.cache[text]


class BoundedEngine:
    """Finds articles; lives as long as the process."""

    def __init__(self) -> None:
        self.cache: dict[str, int] = {}

    def find(self, text: str) -> int:
        if len(self.cache) == 20:
            self.cache.clear()
        self.cache[text] = len(text)
        return self.cache[text]


engine = Engine()
bounded_engine = BoundedEngine()


def find(request: HttpRequest) -> HttpResponse:
    return answer(engine.find(agent(request)))


def find_within_bounds(request: HttpRequest) -> HttpResponse:
    return answer(bounded_engine.find(agent(request)))


# An instance of an instance; the twin's words are always the same.


class Index:
    """Which words there are."""

    def __init__(self) -> None:
        self.words: list[str] = []  # defined: instance-below


class Service:
    """Searches in an index; lives as long as the process."""

    def __init__(self) -> None:
        self.index = Index()
        self.known_index = Index()


service = Service()


def add_word(request: HttpRequest) -> HttpResponse:
    service.index.words.append(correlation(request))  # put in: instance-below
    return answer()


def add_known_word(request: HttpRequest) -> HttpResponse:
    if "apple" not in service.known_index.words:
        service.known_index.words.append("apple")
    return answer(correlation(request))


# One with slots; the twin's is a number.


class Ranking:
    """What is searched for; lives as long as the process."""

    __slots__ = ("number", "seen")

    def __init__(self) -> None:
        self.number = 0
        self.seen: set[str] = set()  # defined: slots


ranking = Ranking()


def rank(request: HttpRequest) -> HttpResponse:
    ranking.seen.add(address(request))  # put in: slots
    return answer()


def count(request: HttpRequest) -> HttpResponse:
    ranking.number += 1
    return answer(address(request))


# What an instance remembers of the last request; the twin forgets it.


class Suggestion:
    """Suggests what others have searched for; lives as long as the process."""

    def __init__(self) -> None:
        self.request: HttpRequest | None = None  # defined: instance-request

    def suggest(self, request: HttpRequest) -> str:
        self.request = request  # put in: instance-request
        return self.request.path


class ForgetfulSuggestion:
    """Suggests what others have searched for; lives as long as the process."""

    def __init__(self) -> None:
        self.request: HttpRequest | None = None

    def suggest(self, request: HttpRequest) -> str:
        self.request = request
        try:
            return self.request.path
        finally:
            self.request = None


suggestion = Suggestion()
forgetful_suggestion = ForgetfulSuggestion()


def suggest(request: HttpRequest) -> HttpResponse:
    return answer(suggestion.suggest(request))


def suggest_and_forget(request: HttpRequest) -> HttpResponse:
    return answer(forgetful_suggestion.suggest(request))


# What waits for the end of something that never ends, with the request; the twin's is the request.


def finalize(request: HttpRequest) -> HttpResponse:
    weakref.finalize(engine, agent, request)  # defined: finalize; put in: finalize
    return answer()


def finalize_request(request: HttpRequest) -> HttpResponse:
    weakref.finalize(request, bounded_engine.cache.clear).atexit = False
    return answer()


# An object of the project's that only the standard library holds; the twin's lets go of it.


class Draft:
    """A search that somebody has not sent yet."""

    def save(self) -> None:
        """Keep it for the next time."""


def draft(request: HttpRequest) -> HttpResponse:
    Finalize(None, Draft().save, exitpriority=0)  # defined: kept-object; put in: kept-object
    return answer()


def draft_and_save(request: HttpRequest) -> HttpResponse:
    Finalize(None, Draft().save, exitpriority=0)()
    return answer()


urlpatterns = [
    path("leak/instance", find),
    path("clean/instance", find_within_bounds),
    path("leak/instance-below", add_word),
    path("clean/instance-below", add_known_word),
    path("leak/slots", rank),
    path("clean/slots", count),
    path("leak/instance-request", suggest),
    path("clean/instance-request", suggest_and_forget),
    path("leak/finalize", finalize),
    path("clean/finalize", finalize_request),
    path("leak/kept-object", draft),
    path("clean/kept-object", draft_and_save),
]
