"""Secrets that somebody revealed are blotted out of log records and error pages."""

import copy
import gc
import io
import json
import logging
import logging.handlers
import pickle
import pprint
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.parse import quote

import pytest
from django.test import RequestFactory, override_settings
from django.views.debug import technical_500_response

from resident.debug import MaskedReporter
from resident.secrets import Secret, Secrets
from resident.secrets.mask import MASK, Mask, mask
from resident.secrets.records import MaskedRecords, mask_records
from tests.granian import ROOT, clean_environment

VALUE = "v4lue-0f-a-secret"
secret = Secret(VALUE)

NUMBERS = count()


@pytest.fixture(autouse=True)
def _masked() -> Iterator[None]:
    before = logging.getLogRecordFactory()
    mask_records()
    yield
    logging.setLogRecordFactory(before)


class Log:
    """A logger with a handler that somebody else wrote; keeps what is written."""

    def __init__(self, formatter: logging.Formatter | None = None) -> None:
        self.logger = logging.getLogger(f"shop.{next(NUMBERS)}")
        self.logger.propagate = False
        self._stream = io.StringIO()
        handler = logging.StreamHandler(self._stream)
        handler.setFormatter(formatter or logging.Formatter("%(levelname)s %(message)s"))
        self.logger.addHandler(handler)

    @property
    def text(self) -> str:
        """What was written, which shows the value nowhere."""
        text = self._stream.getvalue()
        assert VALUE not in text
        return text


class Client:
    """A client of somebody else's, which shows too much."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __str__(self) -> str:
        return f"Client(token={self.token!r})"


class TestMessages:
    @pytest.mark.parametrize(
        ("message", "args"),
        [
            (f"token {VALUE}", ()),
            ("token %s", (VALUE,)),
            ("token %r of %d", (VALUE, 3)),
            ("token %(token)s", ({"token": VALUE},)),
            ("tokens %s", ([VALUE, "other"],)),
            ("tokens %s", ({"a": {"b": (VALUE,)}},)),
            ("client %s", (Client(VALUE),)),
            ("bytes %s", (VALUE.encode(),)),
            ("an exception: %s", (ValueError(VALUE),)),
        ],
    )
    def test_are_masked(self, message: str, args: tuple[Any, ...]) -> None:
        log = Log()
        log.logger.warning(message, *args)
        assert MASK in log.text

    def test_stay_as_they_are_without_a_secret(self) -> None:
        args = ({"a": [1, 2]}, "two", 3)
        record = logging.getLogRecordFactory()("n", 20, "f", 1, "%s %s %s", args, None)
        assert isinstance(record, logging.LogRecord)
        assert record.args is args
        assert record.getMessage() == "{'a': [1, 2]} two 3"

    def test_arguments_are_masked_for_those_who_take_them_apart(self) -> None:
        args = (VALUE, {"token": VALUE, "n": 1}, [VALUE], (VALUE, 2), {"deep": [[[VALUE]]]})
        record = logging.getLogRecordFactory()("n", 20, "f", 1, f"{VALUE} %s", args, None)
        assert record.msg == f"{MASK} %s"
        assert isinstance(record.args, tuple)
        assert record.args[:4] == (MASK, {"token": MASK, "n": 1}, [MASK], (MASK, 2))
        assert record.args[4] is args[4], "too deep to be looked into; the message is masked still"

    def test_a_long_list_is_not_looked_into(self) -> None:
        args = ([VALUE] * 101, 0)
        record = logging.getLogRecordFactory()("n", 20, "f", 1, "%s %s", args, None)
        assert record.args == args
        assert VALUE not in record.getMessage()

    def test_what_extra_adds(self) -> None:
        class Json(logging.Formatter):
            def format(self, record: logging.LogRecord) -> str:
                super().format(record)
                return json.dumps(vars(record), default=str)

        log = Log(Json())
        log.logger.warning("paid", extra={"token": VALUE, "context": {"a": [VALUE]}, "n": 1})
        written = json.loads(log.text)
        assert (written["token"], written["context"], written["n"]) == (MASK, {"a": [MASK]}, 1)


class TestExceptions:
    def fail(self) -> None:
        try:
            raise KeyError(VALUE)
        except KeyError as error:
            raise RuntimeError("no connection") from error

    def test_a_chain(self) -> None:
        log = Log()
        try:
            self.fail()
        except RuntimeError:
            log.logger.exception("failed")
        assert f"KeyError: '{MASK}'" in log.text
        assert "RuntimeError: no connection" in log.text

    def test_is_kept_as_text_alone(self) -> None:
        """Whoever formats or sends the exception itself would tell it."""

        class Own(logging.Formatter):
            def format(self, record: logging.LogRecord) -> str:
                told = self.formatException(record.exc_info) if record.exc_info else "none"
                return f"{told} {record.exc_text}"

        log = Log(Own())
        try:
            self.fail()
        except RuntimeError:
            log.logger.exception("failed")
        assert log.text.startswith("none Traceback")

    def test_one_without_a_secret_stays(self) -> None:
        try:
            raise KeyError("a")
        except KeyError:
            exc_info = sys.exc_info()
            record = logging.getLogRecordFactory()("n", 40, "f", 1, "m", (), exc_info)
            assert record.exc_info is exc_info
            assert record.exc_text is None
            assert logging.Formatter().format(record).endswith("KeyError: 'a'")

    def test_none_at_all(self) -> None:
        log = Log()
        log.logger.error("failed", exc_info=True)  # noqa: LOG014 - a mistake that people make
        assert "failed" in log.text

    def test_a_formatter_that_shows_variables(self) -> None:
        class Curious(logging.Formatter):
            def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
                return f"{ei[1]} with {VALUE}"

        log = Log(Curious())
        try:
            raise KeyError("a")
        except KeyError:
            log.logger.exception("failed")
        assert f"'a' with {MASK}" in log.text

    def test_the_stack(self) -> None:
        record = logging.getLogRecordFactory()(
            "n", 40, "f", 1, "m", (), None, None, f'  File "{VALUE}"'
        )
        assert record.stack_info == f'  File "{MASK}"'


class TestFactories:
    def test_is_installed_once(self) -> None:
        factory = logging.getLogRecordFactory()
        assert isinstance(factory, MaskedRecords)
        mask_records()
        assert logging.getLogRecordFactory() is factory

    def test_keeps_what_another_factory_makes(self) -> None:
        class Traced(logging.LogRecord):
            trace = "7f"

        logging.setLogRecordFactory(Traced)
        mask_records()
        record = logging.getLogRecordFactory()("n", 20, "f", 1, VALUE, (), None)
        assert isinstance(record, Traced)
        assert (record.trace, record.msg) == ("7f", MASK)

    def test_within_another_that_was_installed_later(self) -> None:
        before = logging.getLogRecordFactory()

        def traced(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = before(*args, **kwargs)
            record.trace = VALUE
            return record

        logging.setLogRecordFactory(traced)
        mask_records()
        log = Log(logging.Formatter("%(message)s %(trace)s"))
        log.logger.warning("one")
        assert log.text == f"one {MASK}\n"

    def test_records_that_travel(self) -> None:
        waiting: queue.Queue[logging.LogRecord] = queue.Queue()
        logger = logging.getLogger("shop.travelling")
        logger.propagate = False
        logger.addHandler(logging.handlers.QueueHandler(waiting))
        logger.warning("token %s", VALUE, extra={"token": VALUE})
        sent = pickle.dumps(waiting.get())
        assert VALUE.encode() not in sent
        record = pickle.loads(sent)  # noqa: S301 - it was pickled in the line before the last
        assert copy.copy(record).getMessage() == f"token {MASK}"


class TestMask:
    @pytest.mark.parametrize(
        "value", ['it\'s "quoted"', "one\\two\nthree", "p@ss/w:rd&<x>", "schlüssel €", "{'a': 1}"]
    )
    def test_is_found_as_it_is_written_elsewhere(self, value: str) -> None:
        kept = Secret(value)
        for text in (value, repr([value]), json.dumps({"a": value}), pprint.pformat({"a": value})):
            assert value not in mask(text)
            assert MASK in mask(text)
        assert MASK in mask(f"postgres://shop:{quote(value, safe='')}@db/shop")
        assert kept.reveal() == value

    def test_a_value_within_another(self) -> None:
        both = Secret("outer-inner-outer"), Secret("inner-")
        assert mask("one outer-inner-outer, one inner-") == f"one {MASK}, one {MASK}"
        assert all(both)

    @pytest.mark.parametrize(
        "value", ["short", "", "http://flipt:8080", "https://flipt.example/", "http://[::1]:80"]
    )
    def test_what_is_not_blotted_out(self, value: str) -> None:
        kept = Secret(value)
        text = f"asked {value}, in vain"
        assert mask(text) is text
        assert kept.reveal() == value

    @pytest.mark.parametrize(
        "value",
        [
            "https://hooks.example/services/T0/B0",
            "https://user@flipt.example",
            "https://:word@flipt.example",
            "https://flipt.example?token=1",
            "https://flipt.example#token",
            "redis://cache:6379",
            "https://[flipt",
        ],
    )
    def test_a_url_that_tells_more_than_a_server(self, value: str) -> None:
        kept = Secret(value)
        assert mask(f"asked {value}") == f"asked {MASK}"
        assert kept.reveal() == value

    def test_forgets_what_nobody_holds(self) -> None:
        short_lived = Secret("short-lived-value")
        assert mask("short-lived-value") == MASK
        del short_lived
        gc.collect()
        another = Secret("another-value")
        assert mask("short-lived-value, another-value") == f"short-lived-value, {MASK}"
        assert another

    def test_two_of_the_same_value(self) -> None:
        """The one that is left is blotted out still."""
        one, other = Secret("twice-the-same"), Secret("twice-the-same")
        del one
        gc.collect()
        third = Secret("a-third-value")
        assert mask("twice-the-same") == MASK
        assert other
        assert third

    def test_while_other_threads_make_secrets(self) -> None:
        own, is_over = Mask(), threading.Event()
        kept = Secret("the-kept-value")
        own.add(kept)

        def make() -> None:
            while not is_over.is_set():
                own.add(Secret(str(time.monotonic_ns())))

        threads = [threading.Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        ends = time.monotonic() + 1
        while time.monotonic() < ends:
            assert own("the-kept-value") == MASK
        is_over.set()
        for thread in threads:
            thread.join()

    def test_costs_little_however_long_the_text_is(self) -> None:
        kept = [Secret(f"value-number-{number}") for number in range(100)]
        began = time.process_time()
        mask("a line of a log that has no end, " * 30_000)
        assert time.process_time() - began < 2
        assert all(kept)


class TestPages:
    """An error page shows variables, and somebody has revealed a secret into one."""

    def page(self, accept: str) -> str:
        request = RequestFactory().get("/", headers={"accept": accept})
        request.META["TOKEN_OF_THE_ENVIRONMENT"] = VALUE
        try:
            client = Client(secret.reveal())
            raise RuntimeError(f"no connection with {client}")
        except RuntimeError as error:
            page = technical_500_response(request, type(error), error, error.__traceback__)
            return page.content.decode()

    @pytest.mark.parametrize("accept", ["text/html", "text/plain"])
    def test_shows_it_nowhere(self, accept: str) -> None:
        own = "django.views.debug.ExceptionReporter"
        with override_settings(DEFAULT_EXCEPTION_REPORTER=own):
            assert VALUE in self.page(accept)
        page = self.page(accept)
        assert "no connection with" in page
        assert MASK in page
        assert VALUE not in page

    def test_is_a_page_still(self) -> None:
        reporter = MaskedReporter(None, RuntimeError, RuntimeError(VALUE), None)
        assert reporter.get_traceback_html().startswith("<!DOCTYPE html>")
        assert hasattr(reporter.get_traceback_text(), "__html__")


def test_containers_show_nothing() -> None:
    contents = Secrets({"token": secret}, source="Vault", parts=(Secrets({"a": secret}, "b"),))
    for shown in (repr(contents), f"{contents}", str(vars(contents)), pprint.pformat(contents)):
        assert VALUE not in shown
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(contents)


SETTING = """
import logging
import django
from django.conf import settings
from resident.secrets import Secret
django.setup()
kept = Secret({value!r})
logging.getLogger("shop").error("token %s, by %s", {value!r}, settings.DEFAULT_EXCEPTION_REPORTER)
"""


@pytest.mark.parametrize(
    ("settings", "masked"), [("project.settings", True), ("tests.settings", False)]
)
def test_is_on_where_resident_is_installed(settings: str, masked: bool) -> None:
    environment = clean_environment(DJANGO_SETTINGS_MODULE=settings)
    done = subprocess.run(
        [sys.executable, "-c", SETTING.format(value=VALUE)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (VALUE not in done.stderr) is masked
    assert "resident.debug.MaskedReporter" in done.stderr
