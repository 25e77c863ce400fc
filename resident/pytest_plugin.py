"""The pytest plugin: the fixtures `find_leaks` and `override_flag`, the option `--find-leaks`.

It is loaded wherever resident is installed, also where nothing is a Django project's: so it imports
nothing before it is asked for.
"""

import functools
import logging
import sys
import unittest
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from resident.leaks.leak import Leak
    from resident.recording import Made
    from resident.stage import Stage

__all__ = ["FindLeaks", "Leaks", "OverrideFlag", "find_leaks", "override_flag"]

LOOKED = "resident_looked"
"""The attribute of a test's report that says how many of its requests were looked at, and not."""


class Leaks(list["Leak"]):
    """What was found; it represents itself as the report, which `assert not …` shows."""

    def __repr__(self) -> str:
        from resident.leaks.report import to_text  # noqa: PLC0415 - only when it is asked for

        return f"\n{to_text(self)}" if self else "[]"


class FindLeaks:
    """What the fixture gives; lives as long as a test."""

    def __init__(self, node: pytest.Item) -> None:
        self._node = node

    def __repr__(self) -> str:
        return "find_leaks"

    def __call__(
        self,
        path: str,
        *,
        requests: int = 5,
        user: str | None = None,
        raw: bool = False,
        third_party: bool = False,
        warm_up: int = 3,
        **request: Any,
    ) -> Leaks:
        """Make requests to this path, and give what they leave behind.

        Args:
            path: with its query; `{token}` in it is another text in each request.
            requests: how many are compared.
            user: the name of a user, like whom a new one logs in for each request.
            raw: without resident's resetters.
            third_party: report what installed packages keep, too.
            warm_up: how many come before those that are compared.
            request: `method`, `data` and `headers`.

        Raises:
            LeaksError: the page fails, or requests can't be made like that.
        """
        _need_django()
        from resident.stage import Stage  # noqa: PLC0415 - it imports Django

        besides = _test_modules(self._node.session.items)
        stage = Stage(raw=raw, third_party=third_party, besides=besides)
        with _unheard():
            found = stage.find_leaks(path, requests=requests, warm_up=warm_up, user=user, **request)
        if not found.is_seen:
            raise _not_seen(path, found.status)
        leaks = Leaks(found.leaks)
        if said := [*found.notes, *([repr(leaks)] if leaks else [])]:
            self._node.add_report_section("call", "leaks", "\n".join(said))
        return leaks


@pytest.fixture
def find_leaks(request: pytest.FixtureRequest) -> FindLeaks:
    """What looks at a page, and tells what its requests leave behind.

    `assert not find_leaks("/")` prints the report where it fails. What a request writes to a
    database is rolled back. To pages that ask one, the test needs pytest-django's `db`, as it does
    with a client.
    """
    return FindLeaks(request.node)


class OverrideFlag:
    """What the fixture gives; lives as long as a test."""

    def __init__(self, held: ExitStack) -> None:
        self._held = held

    def __repr__(self) -> str:
        return "override_flag"

    def __call__(
        self,
        key: str,
        value: bool | str | None,
        *,
        attachment: Any = None,
        namespace: str | None = None,
    ) -> None:
        """Let a flag give this answer until the test ends.

        The arguments are those of `resident.testing.override_flag`, which also ends earlier.
        """
        from resident.testing import override_flag  # noqa: PLC0415 - only when it is asked for

        override = override_flag(key, value, attachment=attachment, namespace=namespace)
        self._held.enter_context(override)


@pytest.fixture
def override_flag() -> Iterator[OverrideFlag]:
    """What lets a flag give one answer until the test ends: `override_flag("new_checkout", True)`.

    It holds from the call on, in every thread; the last one for a flag wins.
    """
    with ExitStack() as held:
        yield OverrideFlag(held)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("resident").addoption(
        "--find-leaks",
        action="store_true",
        help="repeat what each test asks Django's client for, and fail those whose requests leave "
        "something behind for the next one",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--find-leaks"):
        config.pluginmanager.register(EveryTest(), "resident-every-test")


class EveryTest:
    """Looks at every test that has asked Django's client for a page; lives as long as the run."""

    def __init__(self) -> None:
        self._stage: Stage | None = None
        self._looked = self._not_looked = 0

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
        if not _is_django_ready():
            return (yield)
        with self._looking(pyfuncitem):
            return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: Any) -> None:
        # Such a test undoes what it did in the database before any hook comes after it.
        if isinstance(getattr(item, "instance", None), unittest.TestCase) and _is_django_ready():
            followed = self._followed(item, getattr(item.instance, item.name))
            item.obj = followed  # for pytest
            setattr(item.instance, item.name, followed)  # for pytest-django

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.when == "call":
            setattr(report, LOOKED, item.stash.get(_LOOKED, [0, 0]))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        looked, not_looked = getattr(report, LOOKED, [0, 0])
        self._looked += looked
        self._not_looked += not_looked

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        terminalreporter.write_sep("=", "leaks")
        terminalreporter.write_line(f"Requests of Django's client looked at: {self._looked}.")
        if self._not_looked:
            terminalreporter.write_line(
                f"Not looked at, as their repetition was answered otherwise: {self._not_looked}."
            )

    def _followed(self, item: pytest.Item, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def followed(*arguments: Any, **named: Any) -> Any:
            with self._looking(item):
                return method(*arguments, **named)

        return followed

    @contextmanager
    def _looking(self, item: pytest.Item) -> Iterator[None]:
        """Look at the requests that are made inside of it, unless it ends in an exception."""
        from resident.recording import Recorder  # noqa: PLC0415 - it imports Django

        with Recorder() as recorder:
            yield
        self._look(item, recorder.distinct)

    def _look(self, item: pytest.Item, requests: "list[Made]") -> None:
        """Repeat them, and fail the test where they leak."""
        looked = item.stash[_LOOKED] = [0, 0]
        leaks = Leaks()
        for made in requests:
            with _unheard():
                findings = self._stage_of(item).repeat(made.environ, made.body, made.status)
            looked[findings is None] += 1
            leaks += findings.leaks if findings else []
        if leaks:
            pytest.fail(f"What this test asks for leaks.\n{leaks!r}", pytrace=False)

    def _stage_of(self, item: pytest.Item) -> "Stage":
        from resident.stage import Stage  # noqa: PLC0415 - it imports Django

        self._stage = self._stage or Stage(besides=_test_modules(item.session.items))
        return self._stage


_LOOKED = pytest.StashKey[list[int]]()


def _test_modules(items: Iterable[pytest.Item]) -> frozenset[str]:
    """The names of the modules whose state is the tests', and not the project's."""
    modules = {getattr(item, "module", None) for item in items}
    return frozenset(module.__name__ for module in modules if module is not None)


@contextmanager
def _unheard() -> Iterator[None]:
    """Keep pytest from collecting what is logged meanwhile: the same hundreds of times, and for it
    every request would leave something behind.
    """
    handlers = logging.root.handlers.copy()
    # With no handler at all, logging writes to standard error.
    others = [it for it in handlers if not _is_of_pytest(it)]
    logging.root.handlers[:] = others or [logging.NullHandler()]
    try:
        yield
    finally:
        logging.root.handlers[:] = handlers


def _is_of_pytest(handler: logging.Handler) -> bool:
    return type(handler).__module__.startswith("_pytest.")


def _is_django_ready() -> bool:
    """Whether somebody, such as pytest-django, has set a project up. Imports nothing."""
    registry = sys.modules.get("django.apps")
    return registry is not None and bool(registry.apps.ready)


def _need_django() -> None:
    if not _is_django_ready():
        from resident.exceptions import LeaksError  # noqa: PLC0415 - only when it is raised

        raise LeaksError(
            "find_leaks looks at a Django project, and none is set up.",
            remedy="install pytest-django, and set DJANGO_SETTINGS_MODULE.",
        )


def _not_seen(path: str, status: int) -> Exception:
    from resident.exceptions import LeaksError  # noqa: PLC0415 - only when it is raised

    return LeaksError(
        f"{path!r} can't be looked at: it answers {status}.",
        remedy="give a page that is served, and the user whom it is for.",
    )
