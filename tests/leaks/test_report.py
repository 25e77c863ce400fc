"""What was found reads well at 80 columns, and as JSON."""

import dataclasses
import json
from pathlib import Path

import pytest

from resident.leaks.remedies import _REMEDIES
from resident.leaks.report import to_json, to_text
from tests.granian import ROOT
from tests.leaks.examples import CACHE, SESSION


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getcwd", lambda: "/srv")


def test_the_text() -> None:
    basket = dataclasses.replace(CACHE, path="/basket", line=0, put_in=None)
    assert (
        to_text([CACHE, SESSION, basket])
        == """\
/prices

  module global  shop.pricing.CACHE['…']
      shop/pricing.py:12
      put in at shop/views.py:40
      1, 2, 3, 4, 5 after each request: dict of 310 str
      Give it a bound or keep it per request, or have it as before after each
      request: RESIDENT_FLUSH = ["shop.pricing.CACHE"].

  database session  connections['default']: SET search_path
      a statement
      Use SET LOCAL.

/basket

  module global  shop.pricing.CACHE['…']
      shop/pricing.py
      1, 2, 3, 4, 5 after each request: dict of 310 str
      Give it a bound or keep it per request, or have it as before after each
      request: RESIDENT_FLUSH = ["shop.pricing.CACHE"].
"""
    )


def test_no_leak_is_no_text() -> None:
    assert to_text([]) == ""


def test_what_lies_elsewhere_is_named_in_full() -> None:
    elsewhere = dataclasses.replace(CACHE, file="/srvice/pricing.py")
    assert "\n      /srvice/pricing.py:12\n" in to_text([elsewhere])


def test_each_part_has_its_style() -> None:
    roles: list[str] = []

    def style(role: str, text: str) -> str:
        roles.append(role)
        return f"<{role}>{text}</{role}>"

    text = to_text([CACHE], style)
    assert "<name>shop.pricing.CACHE['…']</name>" in text
    assert "put in at <place>shop/views.py:40</place>" in text
    assert set(roles) == {"path", "kind", "name", "place", "growth", "remedy"}


def test_no_line_moves_the_cursor() -> None:
    hostile = dataclasses.replace(
        CACHE, path="/\x1b[2J", name="shop.CACHE['\r\x1b[1m']", value="a\tb\x07"
    )
    text = to_text([hostile])
    assert all(char.isprintable() for char in text.replace("\n", ""))
    assert r"shop.CACHE['\r\x1b[1m']" in text


def test_lines_fit_where_their_words_do() -> None:
    wordy = dataclasses.replace(CACHE, remedy="word " * 60, growth=tuple(range(1, 60)))
    assert max(map(len, to_text([wordy]).splitlines())) <= 80


def test_the_json(tmp_path: Path) -> None:
    first, second = json.loads(to_json([CACHE, SESSION]))
    assert first == dataclasses.asdict(CACHE) | {"growth": [1, 2, 3, 4, 5]}
    assert first["put_in"] == {"file": "/srv/shop/views.py", "line": 40}
    assert second["put_in"] is None
    assert json.loads(to_json([])) == []


@pytest.mark.parametrize("kind", [*_REMEDIES, "kept object"])
def test_what_a_report_says_is_explained(kind: str) -> None:
    assert f"`{kind}`" in (ROOT / "docs" / "leaks.md").read_text()
