"""What the shop knows of the request that is served."""

import time
from collections.abc import Generator
from typing import Any
from weakref import WeakValueDictionary

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone

from tests.leaks.gallery.visitors import address, agent, answer, correlation, person, session_key

# The name of the last visitor; the twin is a number.

LAST_VISITOR = ""  # defined: rebound-name
VISITS = 0


def remember(request: HttpRequest) -> HttpResponse:
    global LAST_VISITOR
    LAST_VISITOR = agent(request)  # put in: rebound-name
    return answer()


def count(request: HttpRequest) -> HttpResponse:
    global VISITS
    VISITS += 1
    return answer()


# The last answer; the twin is the status of it.

LAST_ANSWER: HttpResponse | None = None  # defined: response
LAST_STATUS = 0


def answer_and_keep(request: HttpRequest) -> HttpResponse:
    global LAST_ANSWER
    LAST_ANSWER = answer(len(agent(request)))  # put in: response
    return LAST_ANSWER


def answer_and_note(request: HttpRequest) -> HttpResponse:
    global LAST_STATUS
    response = answer(len(agent(request)))
    LAST_STATUS = response.status_code
    return response


# The last request; the twin is the moment of it.

LAST_REQUEST: HttpRequest | None = None  # defined: rebound-request
LAST_MOMENT = timezone.now()
SLOWEST = 0.0


def keep(request: HttpRequest) -> HttpResponse:
    global LAST_REQUEST
    LAST_REQUEST = request  # put in: rebound-request
    return answer()


def note_moment(request: HttpRequest) -> HttpResponse:
    global LAST_MOMENT, SLOWEST
    LAST_MOMENT = timezone.now()
    SLOWEST = max(SLOWEST, time.perf_counter())
    return answer()


# An object of the project's own; the twin is made once.


class Till:
    """Where one customer pays."""

    def __init__(self, currency: str) -> None:
        self.currency = currency


TILL: Till | None = None  # defined: rebound-object
ONLY_TILL: Till | None = None


def open_till(request: HttpRequest) -> HttpResponse:
    global TILL
    TILL = Till("EUR")  # put in: rebound-object
    return answer()


def open_till_once(request: HttpRequest) -> HttpResponse:
    global ONLY_TILL
    if ONLY_TILL is None:
        ONLY_TILL = Till("EUR")
    return answer()


# A key that stands in the source; the twin's value is taken out again.

CURRENT: dict[str, str] = {}  # defined: literal-key
CURRENT_FOR_NOW: dict[str, str] = {}


def set_current(request: HttpRequest) -> HttpResponse:
    CURRENT["user"] = agent(request)  # put in: literal-key
    return answer()


def set_current_for_now(request: HttpRequest) -> HttpResponse:
    CURRENT_FOR_NOW["user"] = agent(request)
    try:
        return answer(CURRENT_FOR_NOW["user"])
    finally:
        CURRENT_FOR_NOW.pop("user")


# The last error, which holds its frames, and they hold the request; the twin keeps its text.

LAST_ERROR: Exception | None = None  # defined: exception
LAST_ERROR_TEXT = ""


def fail(request: HttpRequest) -> HttpResponse:
    global LAST_ERROR
    try:
        request.META["NO_SUCH_KEY"]
    except KeyError as error:
        LAST_ERROR = error  # put in: exception
    return answer()


def fail_politely(request: HttpRequest) -> HttpResponse:
    global LAST_ERROR_TEXT
    try:
        request.META["NO_SUCH_KEY"]
    except KeyError as error:
        LAST_ERROR_TEXT = str(error)
    return answer()


# A generator that is suspended, and holds the request; the twin's is exhausted.

FEED: Generator[str] | None = None  # defined: generator
EXHAUSTED_FEED: Generator[str] | None = None


def _feed(request: HttpRequest) -> Generator[str]:
    yield request.path
    yield agent(request)


def feed(request: HttpRequest) -> HttpResponse:
    global FEED
    FEED = _feed(request)  # put in: generator
    return answer(next(FEED))


def feed_to_the_end(request: HttpRequest) -> HttpResponse:
    global EXHAUSTED_FEED
    EXHAUSTED_FEED = _feed(request)
    text = "".join(EXHAUSTED_FEED)
    EXHAUSTED_FEED = None
    return answer(text)


# Objects by address; the twin refers to them weakly.

TILLS: dict[str, Till] = {}  # defined: objects
LIVING_TILLS: WeakValueDictionary[str, Till] = WeakValueDictionary()


def till(request: HttpRequest) -> HttpResponse:
    TILLS[address(request)] = Till("EUR")  # put in: objects
    return answer()


def living_till(request: HttpRequest) -> HttpResponse:
    own = LIVING_TILLS[address(request)] = Till("EUR")
    return answer(own.currency)


# A pool that is never full; the twin is after ten.

POOL: list[Till] = []  # defined: pool
POOL_OF_TEN: list[Till] = []


def take(request: HttpRequest) -> HttpResponse:
    POOL.append(Till("EUR"))  # put in: pool
    return answer(POOL[-1].currency)


def take_of_ten(request: HttpRequest) -> HttpResponse:
    if len(POOL_OF_TEN) < 10:
        POOL_OF_TEN.append(Till("EUR"))
    return answer(POOL_OF_TEN[-1].currency)


# Classes that are made by request; the twin's is made once.

FORMS: dict[str, type] = {}  # defined: classes
FORMS_BY_METHOD: dict[str, type] = {}


def make_class(request: HttpRequest) -> HttpResponse:
    FORMS[correlation(request)] = type("Form", (), {})  # put in: classes
    return answer()


def make_class_once(request: HttpRequest) -> HttpResponse:
    if str(request.method) not in FORMS_BY_METHOD:
        FORMS_BY_METHOD[str(request.method)] = type("Form", (), {})
    return answer()


# Users by their primary key; the twin knows how many have been there.

ONLINE: dict[int, str] = {}  # defined: user-by-key
signed_in: dict[str, Any] = {"number": 0, "since": timezone.now()}


def be_online(request: HttpRequest) -> HttpResponse:
    ONLINE[person(request).pk] = "here"  # put in: user-by-key
    return answer()


def be_counted(request: HttpRequest) -> HttpResponse:
    signed_in["number"] += person(request).pk is not None
    signed_in["since"] = timezone.now()
    return answer()


# The session of the last one; the twin knows how long its key is.

LAST_SESSION = ""  # defined: session
LENGTH_OF_SESSION = 0


def keep_session(request: HttpRequest) -> HttpResponse:
    global LAST_SESSION
    LAST_SESSION = session_key(request)  # put in: session
    return answer()


def keep_length_of_session(request: HttpRequest) -> HttpResponse:
    global LENGTH_OF_SESSION
    LENGTH_OF_SESSION = len(session_key(request))
    return answer()


urlpatterns = [
    path("leak/rebound-name", remember),
    path("clean/rebound-name", count),
    path("leak/response", answer_and_keep),
    path("clean/response", answer_and_note),
    path("leak/rebound-request", keep),
    path("clean/rebound-request", note_moment),
    path("leak/rebound-object", open_till),
    path("clean/rebound-object", open_till_once),
    path("leak/literal-key", set_current),
    path("clean/literal-key", set_current_for_now),
    path("leak/exception", fail),
    path("clean/exception", fail_politely),
    path("leak/generator", feed),
    path("clean/generator", feed_to_the_end),
    path("leak/objects", till),
    path("clean/objects", living_till),
    path("leak/pool", take),
    path("clean/pool", take_of_ten),
    path("leak/classes", make_class),
    path("clean/classes", make_class_once),
    path("leak/user-by-key", be_online),
    path("clean/user-by-key", be_counted),
    path("leak/session", keep_session),
    path("clean/session", keep_length_of_session),
]
