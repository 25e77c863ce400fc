"""Each planted leak is found, by the right name and on the right line; no clean twin is."""

import functools
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, override_settings

from resident.leaks.leak import Leak
from resident.stage import Stage
from tests.leaks.gallery import lines
from tests.leaks.gallery import settings as shop
from tests.leaks.gallery.inventory import PLANTED, Planted
from tests.leaks.gallery.undo import undone

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("whole_heap")]

MANAGER = "shop-manager"
MARKED = "shop-secret-{token}"
"""What the views get as the request's id: no report may show it."""

LARGEST_BATCH = 12  # what one leak has kept is looked through in the hunt for the next


@pytest.fixture(autouse=True)
def _shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The shop in this process, and nothing of it afterwards."""
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", None)
    open_shop = override_settings(
        ROOT_URLCONF=shop.ROOT_URLCONF,
        ALLOWED_HOSTS=shop.ALLOWED_HOSTS,
        MIDDLEWARE=shop.MIDDLEWARE,
        TEMPLATES=shop.TEMPLATES,
        SHOP_HOURS=shop.SHOP_HOURS,
    )
    with open_shop, undone():
        User.objects.create(username=MANAGER)
        yield


@functools.cache
def stage(raw: bool) -> Stage:
    """One for all of the run: what it knows of the process is true for longer than a test."""
    return Stage(raw=raw, besides=[__name__, "tests.conftest", "tests.evidence"])


def hunt(path: str, *, raw: bool = False, user: bool = False, warm_up: int = 3) -> list[Leak]:
    findings = stage(raw).find_leaks(
        path,
        headers={"X-Request-ID": MARKED},
        user=MANAGER if user else None,
        warm_up=warm_up,
    )
    assert findings.status == 200
    return findings.leaks


def hunt_leak(planted: Planted, **changes: Any) -> list[Leak]:
    return hunt(f"/leak/{planted}", **{"raw": planted.raw, "user": planted.user} | changes)


def hunt_twin(planted: Planted, **changes: Any) -> list[Leak]:
    return hunt(f"/clean/{planted}", **{"raw": planted.raw, "user": planted.user} | changes)


def told(leak: Leak) -> tuple[Any, ...]:
    """What a report says of a leak, but for how much of it there is by now."""
    return leak.path, leak.kind, leak.name, leak.file, leak.line, leak.put_in


def expected(planted: Planted) -> tuple[Any, ...]:
    defined, put_in = lines.defined(planted.slug), lines.put_in(planted.slug)
    return (f"/leak/{planted}", planted.kind, planted.full_name, *defined, put_in)


def assert_is(planted: Planted, leaks: list[Leak]) -> None:
    assert [_comparable(leak) for leak in leaks] == [expected(planted)]
    (leak,) = leaks
    assert len(leak.growth) == 5
    if leak.growth != (1,) * 5:
        assert all(after > before for before, after in itertools.pairwise(leak.growth))
    assert "shop-secret" not in str(leak)
    assert leak.remedy


def _comparable(leak: Leak) -> tuple[Any, ...]:
    *rest, put_in = told(leak)
    return (*rest, put_in and (put_in.file, put_in.line))


IN_EVERY_RUN = ("in-settings", "initkwargs", "thread-local-class")
TOLD_IN_OTHER_WAYS = (
    "connection", "context-default", "function-attribute", "gc-callback", "instance",
    "kept-file", "kept-object", "lru-cache-request", "open-file", "time-zone",
)  # fmt: skip
"""Together they take every way through the procedure; new processes look for the whole gallery."""

in_every_way = pytest.mark.parametrize(
    "planted",
    [
        pytest.param(it, marks=() if it.slug in IN_EVERY_RUN else pytest.mark.slow, id=it.slug)
        for it in PLANTED
        if it.slug in IN_EVERY_RUN + TOLD_IN_OTHER_WAYS
    ],
)


def test_the_pages_of_the_shop() -> None:
    """Each leak has one, and its twin too; nothing is marked twice, or for no leak."""
    client = Client(headers={"host": "shop.example", "user-agent": "a visitor"})
    client.force_login(User.objects.get(username=MANAGER))
    for planted in PLANTED:
        for page in ("leak", "clean"):
            response = client.get(f"/{page}/{planted}")
            response.getvalue()
            assert response.status_code == 200, planted
        assert lines.defined(planted.slug)
        assert lines.put_in(planted.slug)
    assert lines.slugs() == {planted.slug for planted in PLANTED}


def test_the_gallery_is_large() -> None:
    assert len({planted.slug for planted in PLANTED}) == len(PLANTED) >= 90
    assert len({planted.kind for planted in PLANTED}) >= 24


@in_every_way
def test_a_planted_leak_is_found_and_its_twin_is_clean(planted: Planted) -> None:
    assert_is(planted, hunt_leak(planted))
    assert hunt_twin(planted) == []


# In new processes, which have served nothing: all of the gallery.


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop's, with the manager in it."""
    path = tmp_path_factory.mktemp("shop") / "shop.sqlite3"
    _django(path, "migrate", "--verbosity=0").check_returncode()
    _django(
        path, "shell", "--verbosity=0", "-c",
        "from django.contrib.auth.models import User; "
        f"User.objects.create(username={MANAGER!r})",
    ).check_returncode()  # fmt: skip
    return path


def _django(
    database: Path, *arguments: str, hash_seed: str = "random"
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"SHOP_DATABASE": str(database), "PYTHONHASHSEED": hash_seed}
    environment.pop("COVERAGE_PROCESS_CONFIG", None)  # a tracer that makes it twice as slow
    return subprocess.run(
        [sys.executable, "-m", "django", *arguments, "--settings=tests.leaks.gallery.settings"],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )


def find_in_new_process(
    database: Path,
    batch: Sequence[Planted],
    page: str = "leak",
    *,
    warm_up: int = 3,
    hash_seed: str = "random",
    runs: Sequence[str] = ("",),
    is_reset: bool = False,
) -> list[dict[str, Any]]:
    paths = [f"/{page}/{planted}{run}" for run in runs for planted in batch]
    flags = ["--format=json", f"--header=X-Request-ID: {MARKED}", f"--warm-up={warm_up}"]
    flags += ["--raw"] * (batch[0].raw and not is_reset) + [f"--user={MANAGER}"] * batch[0].user
    finished = _django(database, "findleaks", *paths, *flags, hash_seed=hash_seed)
    assert finished.returncode in (0, 1), finished.stdout + finished.stderr
    assert "shop-secret" not in finished.stdout
    found: list[dict[str, Any]] = json.loads(finished.stdout)
    assert finished.returncode == bool(found)
    return found


def batches() -> Iterator[tuple[Planted, ...]]:
    """Those that are looked for in the same way."""
    for _, planted in itertools.groupby(sorted(PLANTED, key=_way), _way):
        alike = tuple(planted)
        yield from (alike[at : at + LARGEST_BATCH] for at in range(0, len(alike), LARGEST_BATCH))


def _way(planted: Planted) -> tuple[bool, bool, int]:
    return planted.raw, planted.user, planted.warm_up


def _named(batch: Sequence[Planted]) -> str:
    return f"{batch[0]} to {batch[-1]}"


every_batch = pytest.mark.parametrize("batch", list(batches()), ids=_named)


def assert_are(batch: Sequence[Planted], found: list[dict[str, Any]]) -> None:
    keys = ("path", "kind", "name", "file", "line", "put_in")
    assert [tuple(it[key] for key in keys) for it in found] == [
        (*rest, {"file": put_in.file, "line": put_in.line})
        for *rest, put_in in map(expected, batch)
    ]


@pytest.mark.slow
@every_batch
def test_on_a_cold_process(batch: tuple[Planted, ...], database: Path) -> None:
    assert_are(batch, find_in_new_process(database, batch))
    assert find_in_new_process(database, batch, "clean") == []


@pytest.mark.slow
@pytest.mark.parametrize("batch", [it for it in batches() if it[0].raw], ids=_named)
def test_what_the_resetters_put_back_is_no_leak(batch: tuple[Planted, ...], database: Path) -> None:
    assert find_in_new_process(database, batch, is_reset=True) == []


@pytest.mark.slow
@every_batch
def test_after_an_hour_of_warm_up(batch: tuple[Planted, ...], database: Path) -> None:
    hour = batch[0].warm_up
    assert_are(batch, find_in_new_process(database, batch, warm_up=hour))
    assert find_in_new_process(database, batch, "clean", warm_up=hour) == []


OF_CHANCE = ("set", "nested-dict", "by-id", "objects", "lru-cache-request", "middleware-list")
"""What hashes, addresses and the collector of garbage have a say in."""
of_chance = [planted for planted in PLANTED if planted.slug in OF_CHANCE]


@pytest.mark.slow
def test_the_hash_seed_does_not_matter(database: Path) -> None:
    for hash_seed in ("0", "1", "4242"):
        assert_are(of_chance, find_in_new_process(database, of_chance, hash_seed=hash_seed))


@pytest.mark.slow
def test_twenty_runs_tell_the_same(database: Path) -> None:
    runs = [f"?run={number}" for number in range(5)]
    found = [it for _ in range(4) for it in find_in_new_process(database, of_chance, runs=runs)]
    expected_once = [(planted.kind, planted.full_name) for planted in of_chance]
    assert [(it["kind"], it["name"]) for it in found] == expected_once * 20
    assert find_in_new_process(database, of_chance, "clean", runs=runs) == []
