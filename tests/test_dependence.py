"""What is made from a secret is made anew when that changes, and no request notices the swap."""

import asyncio
import contextvars
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import AsyncRequestFactory, override_settings

from resident.exceptions import SecretsError
from resident.middleware import ResetStateMiddleware
from resident.secrets import Secret, Secrets
from resident.signals import secrets_changed, secrets_failed
from resident.worker import Resource, Worker, depends_on, keeper, secrets
from resident.worker import worker as the_worker
from tests.granian import eventually

NOBODY: Callable[[Any], None] = lambda _: None  # noqa: E731


def contents(**values: str) -> Secrets:
    return Secrets({key: Secret(value) for key, value in values.items()}, source="The test")


class Shop:
    """A worker with secrets, and a diary of what was opened and closed."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.diary: list[str] = []

    def client(self, key: str, name: str = "client", before: Callable[[str], None] = NOBODY) -> Any:
        @depends_on(key)
        def client(worker: Worker) -> Iterator[str]:
            value = f"{name} {worker.secrets[key].reveal()}"
            before(value)
            self.diary.append(f"open {value}")
            yield value
            self.diary.append(f"close {value}")

        client.__name__ = name
        return client

    def rotate(self, **values: str) -> list[str]:
        return self.worker.take_up(contents(**values))

    def eventually(self, *entries: str) -> bool:
        return eventually(lambda: self.diary[-len(entries) :] == list(entries), seconds=5)


@pytest.fixture
def shop() -> Iterator[Shop]:
    worker = Worker()
    options = {"OPTIONS": {"values": {"token": "one", "host": "a"}}}
    with override_settings(RESIDENT_SECRETS=options):
        assert worker.secrets["token"].reveal() == "one"
        yield Shop(worker)
        worker.close()


def test_the_new_one_is_made_first_and_then_the_old_one_closed(shop: Shop) -> None:
    client = shop.client("token")
    assert shop.worker.get(client) == "client one"
    assert shop.rotate(token="two", host="a") == []
    assert shop.worker.get(client) == "client two"
    assert shop.worker.secrets["token"].reveal() == "two"
    assert shop.eventually("open client one", "open client two", "close client one")
    shop.worker.close()
    assert shop.diary[3:] == ["close client two"]


def test_what_depends_on_another_key_stays(shop: Shop) -> None:
    client = shop.client("host")
    shop.worker.get(client)
    shop.rotate(token="two", host="a")
    assert shop.worker.get(client) == "client a"
    assert shop.diary == ["open client a"]


def test_a_request_sees_one_version_from_its_begin_to_its_end(shop: Shop) -> None:
    client = shop.client("token")
    shop.worker.get(client)

    def request(rotate: Callable[[], object]) -> list[str]:
        def see() -> str:
            return f"{shop.worker.secrets['token'].reveal()} {shop.worker.get(client)}"

        with shop.worker.stay():
            seen = [see()]
            rotate()
            seen.append(see())
            assert "close client one" not in shop.diary
            assert shop.worker.latest_secrets["token"].reveal() == "two"
        seen.append(see())
        return seen

    seen = contextvars.copy_context().run(request, lambda: shop.rotate(token="two"))
    assert seen == ["one client one", "one client one", "two client two"]
    assert shop.eventually("close client one")


def test_a_later_request_does_not_end_what_an_earlier_one_uses(shop: Shop) -> None:
    """The first began before both rotations, and may only now ask for what came between."""
    client = shop.client("token")
    shop.worker.get(client)
    first = shop.worker.stay()
    shop.rotate(token="two")
    second = shop.worker.stay()
    shop.rotate(token="three")
    second.end()
    time.sleep(0.1)
    assert not [entry for entry in shop.diary if entry.startswith("close")]
    first.end()
    assert shop.eventually("close client one", "close client two")


def test_who_never_ended_delays_nothing_once_the_worker_was_closed(shop: Shop) -> None:
    left = shop.worker.stay()
    shop.worker.close()
    client = shop.client("token")
    assert contextvars.Context().run(shop.worker.get, client) == "client one"
    shop.rotate(token="two")
    assert shop.eventually("open client two", "close client one")
    left.end()


def test_one_that_cannot_be_made_stays_and_the_others_follow(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    refused = {"client two"}

    def connect(value: str) -> None:
        if value in refused:
            raise ConnectionRefusedError("nobody there")

    def connect_politely(value: str) -> None:
        if value == "polite two":
            raise SecretsError("The host is away.", remedy="wait.")

    shaky = shop.client("token", before=connect)
    polite = shop.client("token", "polite", before=connect_politely)
    steady = shop.client("token", "steady")
    shop.worker.open(shaky, polite, steady)
    assert shop.rotate(token="two") == ["client", "polite"]
    assert shop.worker.get(shaky) == "client one"
    assert shop.worker.get(steady) == "steady two"
    told = [record for record in caplog.records if "stays as it is" in record.message]
    assert [bool(record.exc_info) for record in told] == [True, False]
    assert "polite stays as it is: The host is away.\nTo do: wait." in caplog.text
    refused.clear()
    assert shop.rotate(token="two") == ["polite"]
    assert shop.worker.get(shaky) == "client two"
    assert "open steady two" in shop.diary
    assert shop.diary.count("open steady two") == 1


def test_what_is_made_from_a_resource_follows_it(shop: Shop) -> None:
    below = shop.client("token", "below")

    @depends_on(below)
    def above(worker: Worker) -> Iterator[str]:
        yield f"above {worker.get(below)}"

    def aside(worker: Worker) -> Iterator[str]:
        yield f"aside {worker.get(below)}"

    assert shop.worker.get(above) == "above below one"
    assert shop.worker.get(aside) == "aside below one"
    shop.rotate(token="two")
    assert shop.worker.get(above) == "above below two"
    assert shop.worker.get(aside) == "aside below one", "it did not say that it depends on it"


def test_what_depends_on_all_the_secrets(shop: Shop) -> None:
    @depends_on(secrets)
    def count(worker: Worker) -> Iterator[int]:
        yield len(worker.secrets)

    assert shop.worker.get(count) == 2
    shop.rotate(token="one")
    assert shop.worker.get(count) == 1


def test_a_key_that_comes_and_goes(shop: Shop) -> None:
    @depends_on("proxy")
    def proxy(worker: Worker) -> Iterator[str]:
        found = worker.secrets.get("proxy")
        yield found.reveal() if found else "none"

    assert shop.worker.get(proxy) == "none"
    shop.rotate(proxy="p")
    assert shop.worker.get(proxy) == "p"
    shop.rotate(token="one")
    assert shop.worker.get(proxy) == "none"


def test_what_is_opened_while_others_are_made_anew_is_not_left_behind(shop: Shop) -> None:
    late = shop.client("token", "late")

    def meanwhile(value: str) -> None:
        if value == "slow two":
            opening = threading.Thread(target=shop.worker.get, args=(late,))
            opening.start()
            opening.join()

    slow = shop.client("token", "slow", before=meanwhile)
    shop.worker.get(slow)
    assert shop.rotate(token="two") == []
    assert "open late one" in shop.diary
    assert shop.worker.get(late) == "late two"
    assert shop.eventually("close slow one", "close late one")


def test_what_a_new_one_needs_is_opened_with_it(shop: Shop) -> None:
    part = shop.client("token", "part")

    @depends_on("token")
    def whole(worker: Worker) -> Iterator[str]:
        yield worker.get(part) if worker.secrets["token"].reveal() == "two" else "without"

    assert shop.worker.get(whole) == "without"
    shop.rotate(token="two")
    assert shop.worker.get(whole) == "part two"
    assert shop.worker.get(part) == "part two"
    assert shop.diary == ["open part two"]


def test_a_request_that_opens_something_gives_everybody_the_latest(shop: Shop) -> None:
    client = shop.client("token")
    with shop.worker.stay():
        shop.rotate(token="two")
        assert shop.worker.secrets["token"].reveal() == "one"
        assert shop.worker.get(client) == "client two"
    assert shop.worker.get(client) == "client two"


def test_a_worker_that_is_closed_meanwhile_keeps_nothing_open(shop: Shop) -> None:
    def close(value: str) -> None:
        if value == "client two":
            shop.worker.close()

    client = shop.client("token", before=close)
    shop.worker.get(client)
    assert shop.rotate(token="two") == ["what was being closed"]
    assert shop.diary == [
        "open client one",
        "close client one",
        "open client two",
        "close client two",
    ]
    assert not shop.worker.is_open(keeper)
    assert shop.rotate(token="three") == []


def test_closing_the_worker_closes_what_is_still_in_use(shop: Shop) -> None:
    client = shop.client("token")
    shop.worker.get(client)
    stay = shop.worker.stay()
    shop.rotate(token="two")
    shop.worker.close()
    assert shop.diary[-2:] == ["close client two", "close client one"]
    stay.end()
    assert shop.worker.get(client) == "client one", "it is opened anew, from the settings"
    shop.rotate(token="two")
    assert shop.eventually("open client two", "close client one")


def test_a_fork_leaves_to_its_parent_what_is_still_in_use(shop: Shop) -> None:
    client = shop.client("token")
    shop.worker.get(client)
    stay = shop.worker.stay()
    shop.rotate(token="two")
    child = os.fork()
    if not child:  # pragma: no cover - its coverage is lost with os._exit
        shop.worker.leave_to_parent()
        stay.end()
        shop.worker.close()
        closed = [entry for entry in shop.diary if entry.startswith("close")]
        os._exit(len(closed))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    stay.end()
    assert shop.eventually("close client one")


def test_tells_which_keys_have_changed(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    heard: list[frozenset[str]] = []

    def hear(keys: frozenset[str], secrets: Secrets, **_: Any) -> None:
        assert secrets["token"].reveal() == shop.worker.secrets["token"].reveal()
        heard.append(keys)

    secrets_changed.connect(hear)
    try:
        shop.rotate(token="two", host="a", proxy="p")
        shop.rotate(token="two", host="a", proxy="p")
    finally:
        secrets_changed.disconnect(hear)
    assert heard == [frozenset({"token", "proxy"})]
    assert "The test: 'proxy', 'token' changed" in caplog.text


def test_tells_that_the_secrets_could_not_be_had() -> None:
    heard: list[str] = []

    def hear(error: SecretsError, **_: Any) -> None:
        heard.append(error.kind)

    secrets_failed.connect(hear)
    worker = Worker()
    backend = {"BACKEND": f"{__name__}.Once", "INTERVAL": 0.02}
    try:
        with override_settings(RESIDENT_SECRETS=backend):
            worker.get(keeper)
            assert eventually(lambda: bool(heard), seconds=5)
            assert worker.secrets_state.last_error == "gone"
    finally:
        worker.close()
        secrets_failed.disconnect(hear)
    assert heard[0] == "gone"


class Once:
    """A backend that can be read once."""

    def __init__(self) -> None:
        self.left = [contents(token="one")]

    def read(self) -> Secrets:
        if not self.left:
            raise SecretsError("It is gone.", kind="gone")
        return self.left.pop()

    def close(self) -> None:
        pass


def test_under_asgi_a_request_sees_one_version_too(shop: Shop) -> None:
    closings: list[bool] = []

    async def view(request: HttpRequest) -> HttpResponse:
        if request.path == "/bad":
            raise LookupError
        return HttpResponse(worker_sees(client))

    client = shop.client("token")

    def worker_sees(resource: Resource[str]) -> str:
        before = the_worker.get(resource)
        the_worker.take_up(contents(token="two"))
        time.sleep(0.1)
        closings.append("close client one" in shop.diary)
        return f"{before}, {the_worker.get(resource)}"

    async def visit() -> HttpResponse:
        middleware = ResetStateMiddleware(view)
        response: HttpResponse = await middleware(AsyncRequestFactory().get("/"))
        return response

    the_worker.open(client)
    response = asyncio.run(visit())
    assert response.content == b"client one, client one"
    assert closings == [False]
    response.close()
    assert shop.eventually("close client one")
    with pytest.raises(LookupError):
        asyncio.run(ResetStateMiddleware(view)(AsyncRequestFactory().get("/bad")))
