"""A request sees the flags as they were when it first asked, whatever becomes of them meanwhile."""

import asyncio
import contextvars
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path

from resident.flags.client import FlagClient
from resident.flags.resource import current, flags
from resident.flags.snapshot import Snapshot
from resident.flags.subject import Subject
from resident.worker import worker
from tests.granian import eventually

FILE = """
namespace: default
flags: [{{key: "on", name: "on", type: BOOLEAN_FLAG_TYPE, enabled: {enabled}}}]
---
namespace: shop
flags: [{{key: "on", name: "on", type: BOOLEAN_FLAG_TYPE, enabled: {enabled}}}]
"""


def seen() -> bool:
    """What the flag answers; in one namespace as in the other."""
    snapshots = current()
    answers = {it.boolean("on", _nobody, False) for it in snapshots.values()}
    assert len(snapshots) == 2
    return answers.pop() if len(answers) == 1 else pytest.fail("the namespaces differ")


def _nobody() -> Subject:
    raise AssertionError


def flip() -> None:
    """Let every snapshot be replaced, and come back when it has been."""
    client: FlagClient = worker.get(flags)
    before = dict(client.snapshots)
    file = Path(os.environ["TEST_FEATURES"])
    was_on = "enabled: true" in file.read_text()
    other = file.with_suffix(".new")
    other.write_text(FILE.format(enabled="false" if was_on else "true"))
    other.replace(file)
    assert eventually(
        lambda: all(client.snapshots[it] is not before[it] for it in ("default", "shop"))
    )


def streamed(request: HttpRequest) -> StreamingHttpResponse:
    def steps() -> Iterator[str]:
        for _ in range(3):
            yield f"{seen()} "
            flip()

    before = seen()
    flip()
    return StreamingHttpResponse((f"{before} ", *steps()))


def lazily(request: HttpRequest) -> StreamingHttpResponse:
    def steps() -> Iterator[str]:
        for _ in range(3):
            yield f"{seen()} "
            flip()

    return StreamingHttpResponse(steps())


async def asynchronous(request: HttpRequest) -> StreamingHttpResponse:
    async def steps() -> AsyncIterator[str]:
        for _ in range(3):
            yield f"{seen()} "
            await asyncio.to_thread(flip)

    return StreamingHttpResponse(steps())


def threaded(request: HttpRequest) -> HttpResponse:
    before, found = seen(), []
    flip()

    def look() -> None:
        found.append(seen())

    inside = threading.Thread(target=contextvars.copy_context().run, args=(look,))
    outside = threading.Thread(target=look)
    for thread in (inside, outside):
        thread.start()
        thread.join()
    return HttpResponse(f"{before} {found[0]} {found[1]}")


def forked(request: HttpRequest) -> HttpResponse:
    before = seen()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            flip()  # in what the child has opened for itself
            os.write(writer, f"{seen()}".encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    told = os.read(reader, 100).decode()
    os.close(reader)
    return HttpResponse(f"{before} {told}")


urlpatterns = [
    path(view.__name__, view) for view in (streamed, lazily, asynchronous, threaded, forked)
]


@pytest.fixture(autouse=True)
def _flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    file = tmp_path / "features.yml"
    file.write_text(FILE.format(enabled="true"))
    monkeypatch.setenv("TEST_FEATURES", str(file))
    with override_settings(
        ROOT_URLCONF=__name__,
        MIDDLEWARE=["resident.middleware.ResetStateMiddleware"],
        RESIDENT_FLAGS={"FEATURES": file, "NAMESPACES": ["shop"], "FEATURES_INTERVAL": 0.01},
    ):
        yield
        worker.close()


@pytest.mark.parametrize("view", [streamed, lazily])
def test_to_the_last_byte(client: Client, view: Callable[..., object]) -> None:
    body = client.get(f"/{view.__name__}").getvalue().decode()
    assert set(body.split()) == {"True"}


def test_under_asgi_too(async_client: AsyncClient) -> None:
    async def body() -> str:
        response = await async_client.get("/asynchronous")
        return "".join([part.decode() async for part in response])  # type: ignore[attr-defined]

    assert asyncio.run(body()) == "True True True "


def test_in_threads_that_run_in_its_context(client: Client) -> None:
    assert client.get("/threaded").content == b"True True False"


def test_a_child_begins_anew(client: Client) -> None:
    assert client.get("/forked").content == b"True False"


def test_outside_of_a_request_the_latest_are_seen() -> None:
    assert seen()
    flip()
    assert not seen()


def test_when_a_stay_has_ended_the_latest_are_seen() -> None:
    with worker.stay():
        assert seen()
        flip()
        assert seen()
    assert not seen()


def test_threads_of_one_stay_get_the_same_at_first() -> None:
    with worker.stay():
        given: list[Snapshot] = []
        barrier = threading.Barrier(8)

        def look() -> None:
            barrier.wait()
            given.append(current()["default"])

        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=(look,)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        flip()
        for thread in threads:
            thread.join()
    assert len(set(given)) == 1
