"""What is kept of the leaks that are found while a process serves, and how it is listed."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from resident.leaks.journal import Entry, Journal
from resident.leaks.leak import Leak
from resident.leaks.listing import Listing, Row
from tests.leaks.examples import CACHE, SEEN

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def names(journal: Journal) -> list[str]:
    return [entry.leak.name for entry in journal.entries()]


def test_the_newest_comes_first_and_each_once() -> None:
    journal = Journal()
    assert journal.keep(CACHE, "GET", "/prices")
    assert journal.keep(SEEN, "GET", "/")
    assert not journal.keep(CACHE, "GET", "/prices")
    assert names(journal) == [SEEN.name, CACHE.name]


def test_a_name_of_another_kind_is_another_leak() -> None:
    journal = Journal()
    assert journal.keep(CACHE, "GET", "/")
    assert journal.keep(replace(CACHE, kind="class attribute"), "GET", "/")
    assert len(journal.entries()) == 2


def test_what_is_seen_again_is_told_as_it_is_now() -> None:
    journal = Journal()
    began = datetime.now(UTC)
    journal.keep(CACHE, "GET", "/prices")
    (first,) = journal.entries()
    grown = replace(CACHE, growth=(1, 2, 3, 4, 5, 6))
    journal.keep(grown, "POST", "/basket")
    (entry,) = journal.entries()
    assert (entry.leak, entry.method, entry.path, entry.count) == (grown, "POST", "/basket", 2)
    assert began <= entry.first == first.first <= entry.last <= datetime.now(UTC)
    assert first.last < entry.last
    assert entry.last.utcoffset() == timedelta(0)


def test_the_one_not_seen_for_the_longest_makes_room() -> None:
    journal = Journal(most=2)
    for name in ("a", "b", "a", "c"):
        journal.keep(replace(CACHE, name=name), "GET", "/")
    assert names(journal) == ["c", "a"]


def test_any_names_of_a_users_making_fill_no_memory() -> None:
    journal = Journal()
    for number in range(1000):
        journal.keep(replace(CACHE, name=str(number)), "GET", "/")
    assert names(journal) == [str(number) for number in range(999, 799, -1)]


def test_it_forgets() -> None:
    journal = Journal()
    journal.looked()
    journal.keep(CACHE, "GET", "/")
    journal.clear()
    assert (journal.requests, journal.entries()) == (0, [])


def test_many_threads_lose_nothing() -> None:
    journal = Journal()

    def work() -> None:
        for _ in range(500):
            journal.looked()
            journal.keep(CACHE, "GET", "/")
            journal.entries()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (entry,) = journal.entries()
    assert entry.count == journal.requests == 4000


def entry(leak: Leak) -> Entry:
    return Entry(leak, "GET", "/prices/<b>", first=NOW, last=NOW)


@pytest.mark.parametrize(
    ("query", "kind", "found"),
    [
        ("", "", [CACHE, SEEN]),
        ("pricing", "", [CACHE, SEEN]),  # both are in the file
        ("CACHE", "", [CACHE]),
        ("views.py:40", "", [CACHE]),
        ("global flush", "", [CACHE]),
        ("  seen \t MAKE ", "", [SEEN]),
        ("get /prices/<b>", "", [CACHE, SEEN]),
        ("no such", "", []),
        ("", "closure", [SEEN]),
        ("cache", "closure", []),
        ("", "no such kind", []),
    ],
)
def test_a_listing_is_searched_and_filtered(query: str, kind: str, found: list[Leak]) -> None:
    listing = Listing([entry(CACHE), entry(SEEN)], query=query, kind=kind)
    assert [row.entry.leak for row in listing.rows] == found
    assert listing.total == 2
    assert listing.kinds == ["closure", "module global"]


def test_a_place_is_told_as_a_terminal_opens_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here = str(tmp_path / "shop" / "pricing.py")
    row = Row(entry(replace(CACHE, file=here)))
    assert (row.place, row.put_in) == ("shop/pricing.py:12", "/srv/shop/views.py:40")
    assert Row(entry(replace(CACHE, line=0))).place == "/srv/shop/pricing.py"
    unknown = Row(entry(replace(SEEN, file="", line=0)))
    assert (unknown.place, unknown.put_in) == ("", "")


def test_a_line_breaks_between_names_and_folders() -> None:
    row = Row(entry(CACHE))
    assert row.name_parts == ["shop.", "pricing.", "CACHE", "['…']"]
    assert row.place_parts == ["/", "srv/", "shop/", "pricing.", "py:", "12"]
    assert "".join(row.put_in_parts) == row.put_in
    assert Row(entry(SEEN)).name_parts[-2:] == ["(seen)", "[…]"]


@pytest.mark.parametrize(
    ("growth", "text", "curve"),
    [
        ((1, 2, 3), "1, 2, 3", "0,18 32,9 64,0"),
        ((4, 0, 1), "4, 0, 1", "0,0 32,18 64,13.5"),
        ((5, 5), "5, 5", ""),
        ((5,), "5", ""),
        ((), "", ""),
        (tuple(range(1, 8)), "1, 2, 3, 4, 5, 6, 7", None),
        (tuple(range(1, 301)), "1, 2, 3, …, 297, 298, 299, 300", None),
    ],
)
def test_growth_is_told_in_figures_and_as_a_curve(
    growth: tuple[int, ...], text: str, curve: str | None
) -> None:
    row = Row(entry(replace(CACHE, growth=growth)))
    assert row.growth == text
    if curve is None:
        assert row.curve.count(" ") == len(growth) - 1
    else:
        assert row.curve == curve
