"""What leaks already is accepted, and what does not leak any more is told."""

import dataclasses
from pathlib import Path

import pytest

from resident.exceptions import LeaksError
from resident.leaks.baseline import Baseline, Known
from resident.leaks.report import to_json
from tests.leaks.examples import CACHE, SESSION


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "leaks.json"


def test_what_is_known_is_accepted_wherever_it_is_found(file: Path) -> None:
    file.write_text(to_json([CACHE]))
    moved = dataclasses.replace(CACHE, path="/basket", file="/elsewhere.py", line=1, growth=(9,))
    other = dataclasses.replace(CACHE, name="shop.pricing.OTHER['…']")
    assert Baseline.read(file).new([moved, SESSION, other]) == [SESSION, other]
    assert Baseline.read(file).stale([moved], ["/prices"]) == []


def test_without_one_everything_is_new() -> None:
    assert Baseline().new([CACHE]) == [CACHE]
    assert Baseline().stale([], ["/prices"]) == []


def test_an_entry_is_stale_once_its_page_does_not_leak(file: Path) -> None:
    file.write_text(to_json([CACHE, SESSION, CACHE]))
    baseline = Baseline.read(file)
    assert baseline.stale([SESSION], ["/prices"]) == [Known(CACHE.kind, CACHE.name, "/prices")]
    assert baseline.stale([SESSION], ["/basket"]) == []


def test_an_entry_without_a_page_is_stale_on_any(file: Path) -> None:
    file.write_text('[{"kind": "thread", "name": "shop.jobs.poll"}]')
    assert Baseline.read(file).stale([], []) == [Known("thread", "shop.jobs.poll")]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "can't be read: Expecting value"),
        ("{}", "holds no list, but a dict"),
        ("[1]", "has an entry 1 that names no 'kind' and no 'name'"),
        ('[{"kind": "thread", "name": "a"}, {"kind": "thread"}]', "has an entry 2 that"),
        ('[{"kind": "thread", "name": 3}]', "has an entry 1 that"),
        ('[{"kind": "thread", "name": "a", "path": 3}]', "has an entry 1 that"),
        ("[" * 100_000, "can't be read"),
        ("\udcff", "can't be read"),
    ],
)
def test_a_malformed_file_is_named(file: Path, content: str, problem: str) -> None:
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(LeaksError, match=problem) as caught:
        Baseline.read(file)
    assert caught.value.problem.startswith(f"The baseline {file} ")
    assert caught.value.remedy.endswith(f"findleaks --format json > {file}")


def test_a_missing_file_is_named(file: Path) -> None:
    with pytest.raises(LeaksError, match="No such file"):
        Baseline.read(file)
