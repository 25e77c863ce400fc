"""What happened in the shop, and who was there."""

import itertools
import uuid
from collections import deque
from collections.abc import AsyncIterator, Iterator

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from tests.leaks.gallery.visitors import address, agent, answer, correlation

# A list; the twin is cleared each time.

LOG: list[str] = []  # defined: list
LOG_OF_REQUEST: list[str] = []


def log(request: HttpRequest) -> HttpResponse:
    LOG.append(correlation(request))  # put in: list
    return answer()


def log_of_request(request: HttpRequest) -> HttpResponse:
    LOG_OF_REQUEST.append(correlation(request))
    text = " ".join(LOG_OF_REQUEST)
    LOG_OF_REQUEST.clear()
    return answer(text)


# A set; the twin's members are always the same.

VISITORS: set[str] = set()  # defined: set
METHODS: set[str] = set()


def visit(request: HttpRequest) -> HttpResponse:
    VISITORS.add(address(request))  # put in: set
    return answer(len(VISITORS))


def method(request: HttpRequest) -> HttpResponse:
    METHODS.add(request.method or "")
    return answer(len(METHODS))


# A deque of what has no token; the twin is bounded.

NUMBERS: deque[str] = deque()  # defined: deque
LAST_NUMBERS: deque[str] = deque(maxlen=50)


def number(request: HttpRequest) -> HttpResponse:
    NUMBERS.append(uuid.uuid4().hex)  # put in: deque
    return answer()


def last_number(request: HttpRequest) -> HttpResponse:
    LAST_NUMBERS.append(uuid.uuid4().hex)
    return answer()


# A list that grows by two, of what is the same each time; the twin's bound is far, and is there.

STEPS: list[str] = []  # defined: by-two
STEPS_OF_DAY: list[str] = []


def step(request: HttpRequest) -> HttpResponse:
    STEPS.extend(["asked", "answered"])  # put in: by-two
    return answer()


def step_of_day(request: HttpRequest) -> HttpResponse:
    if len(STEPS_OF_DAY) < 200:
        STEPS_OF_DAY.extend(["asked", "answered"])
    return answer()


# A tuple that is copied and bound anew; the twin keeps its three newest.

TRAIL: tuple[str, ...] = ()  # defined: tuple
LAST_STEPS: tuple[str, ...] = ()


def walk(request: HttpRequest) -> HttpResponse:
    global TRAIL
    TRAIL = (*TRAIL, correlation(request))  # put in: tuple
    return answer()


def walk_on(request: HttpRequest) -> HttpResponse:
    global LAST_STEPS
    LAST_STEPS = (*LAST_STEPS, request.path)[-3:]
    return answer()


# A text that grows; the twin is written anew.

JOURNAL = ""  # defined: str
HEADLINE = ""


def write(request: HttpRequest) -> HttpResponse:
    global JOURNAL
    JOURNAL += f"{request.method} by {agent(request)}\n"  # put in: str
    return answer()


def write_headline(request: HttpRequest) -> HttpResponse:
    global HEADLINE
    HEADLINE = f"{request.method} {request.path}\n"
    return answer(agent(request))


# A dict by the request's id; the twin's entry is taken out again.

RUNNING: dict[int, str] = {}  # defined: by-id
RUNNING_NOW: dict[int, str] = {}
tickets = itertools.count()


def run(request: HttpRequest) -> HttpResponse:
    RUNNING[next(tickets)] = request.path  # put in: by-id
    return answer()


def run_now(request: HttpRequest) -> HttpResponse:
    RUNNING_NOW[id(request)] = agent(request)
    try:
        return answer(len(RUNNING_NOW))
    finally:
        del RUNNING_NOW[id(request)]


# A list that is made in the body's steps; the twin's belongs to the body.

CHUNKS: list[str] = []  # defined: streaming


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def body() -> Iterator[str]:
        yield "first"
        CHUNKS.append(agent(request))  # put in: streaming
        yield "last"

    return StreamingHttpResponse(body())


def stream_cleanly(request: HttpRequest) -> StreamingHttpResponse:
    def body() -> Iterator[str]:
        chunks = ["first"]
        yield from chunks
        chunks.append(agent(request))
        yield "last"

    return StreamingHttpResponse(body())


# What an async view leaves; the twin keeps how many there were.

WAITING: list[str] = []  # defined: async
waited = 0


async def wait(request: HttpRequest) -> HttpResponse:
    WAITING.append(correlation(request))  # put in: async
    return answer()


async def wait_and_count(request: HttpRequest) -> HttpResponse:
    async def steps() -> AsyncIterator[str]:
        yield correlation(request)

    global waited
    async for _ in steps():
        waited += 1
    return answer()


# A bytearray; the twin is cut.

RECORD = bytearray()  # defined: bytearray
RECORD_OF_TEN = bytearray()


def record(request: HttpRequest) -> HttpResponse:
    RECORD.extend(b"0123456789")  # put in: bytearray
    return answer()


def record_ten(request: HttpRequest) -> HttpResponse:
    RECORD_OF_TEN.extend(b"0123456789")
    del RECORD_OF_TEN[10:]
    return answer()


urlpatterns = [
    path("leak/list", log),
    path("clean/list", log_of_request),
    path("leak/set", visit),
    path("clean/set", method),
    path("leak/deque", number),
    path("clean/deque", last_number),
    path("leak/by-two", step),
    path("clean/by-two", step_of_day),
    path("leak/tuple", walk),
    path("clean/tuple", walk_on),
    path("leak/str", write),
    path("clean/str", write_headline),
    path("leak/by-id", run),
    path("clean/by-id", run_now),
    path("leak/streaming", stream),
    path("clean/streaming", stream_cleanly),
    path("leak/async", wait),
    path("clean/async", wait_and_count),
    path("leak/bytearray", record),
    path("clean/bytearray", record_ten),
]
