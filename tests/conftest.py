import gc
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections

from resident.worker import worker
from tests.evidence import Evidence

EVIDENCE = pytest.StashKey[Evidence]()
OF_WORKERS = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[EVIDENCE] = Evidence()
    logging.getLogger().addHandler(config.stash[EVIDENCE])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[assignment]
    item.config.stash[EVIDENCE].keep(item.nodeid, report.capstdout + report.capstderr)
    return report  # type: ignore[return-value]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """No secret in anything that the whole run logged, printed and was answered."""
    evidence = session.config.stash[EVIDENCE]
    logging.getLogger().removeHandler(evidence)
    found = list(evidence.found())
    if is_worker := hasattr(session.config, "workeroutput"):
        session.config.workeroutput["secrets"] = found  # of pytest-xdist, whose controller tells
    found = [*found, *session.config.stash.get(OF_WORKERS, [])]
    if found and not is_worker:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print("\nSecrets in what this run logged or answered:", *found, sep="\n  ")  # noqa: T201


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker of pytest-xdist's has ended, and hands over what it found."""
    found = getattr(node, "workeroutput", {}).get("secrets", [])
    node.config.stash.setdefault(OF_WORKERS, []).extend(found)


@pytest.fixture(scope="module", autouse=True)
def _small_heap() -> Iterator[None]:
    """A test client searches the heap for thread-locals: not all that was imported for a run."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def whole_heap(_small_heap: None) -> None:
    """For tests that ask the garbage collector who holds what: it does not tell of the frozen."""
    gc.unfreeze()


@pytest.fixture
def evidence(pytestconfig: pytest.Config) -> Evidence:
    """What this run logged and was answered; add to it what a server printed."""
    return pytestconfig.stash[EVIDENCE]


@pytest.fixture(autouse=True)
def _closed_worker() -> Iterator[None]:
    """No test finds open what another one opened."""
    yield
    worker.close()
    worker.serves = False


@pytest.fixture(autouse=True)
def _no_connection_of_others(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that uses no database finds no connection open that others have opened.

    The database of the tests is in memory: its connection stays open for all of the run, Django
    looks at it whenever a request ends, and pytest-django refuses that look.
    """
    uses_it = request.node.get_closest_marker("django_db") or "db" in request.fixturenames
    opened = (
        [] if uses_it else [(it, it.connection) for it in connections.all(initialized_only=True)]
    )
    for wrapper, _ in opened:
        wrapper.connection = None
    yield
    for wrapper, connection in opened:
        wrapper.connection = connection
