"""The page of leaks in a real browser: for every eye, on every screen, with keys alone."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

import pytest
from django.contrib.auth.models import User
from django.test import Client
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By

from resident.leaks.journal import journal
from resident.leaks.leak import Leak, Line
from tests.browser import Browser, browser
from tests.granian import ROOT, eventually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("_empty_journal"),
]

PAGE = "/admin/resident/leak/"
SHOP = str(ROOT / "shop")

LEAKS = (
    Leak(
        path="/prices",
        kind="module global",
        name="shop.pricing.CACHE['…']",
        file=f"{SHOP}/pricing.py",
        line=12,
        growth=(1, 2, 3, 4, 5),
        value="dict of 5 entries",
        remedy='Bound it, or name it in RESIDENT_FLUSH: "shop.pricing.CACHE".',
        put_in=Line(f"{SHOP}/views.py", 30),
    ),
    Leak(
        path="/basket",
        kind="closure",
        name="shop.views.make.<locals>.view(seen)[…]",
        file=f"{SHOP}/views.py",
        line=41,
        growth=(3, 6, 9, 12),
        value="list of 12 entries",
        remedy="Keep it in the session, or on the request.",
    ),
    Leak(
        path="/",
        kind="signal receiver",
        name="django.core.signals.request_finished.receivers[…]",
        file="/srv/venv/lib/python3.13/site-packages/some_package_with_a_long_name/receivers.py",
        line=107,
        growth=(1, 2, 2, 2, 3, 4, 4, 9, 12),
        value="function",
        remedy="Connect it once, when the app is ready, or give it a dispatch_uid.",
    ),
    Leak(
        path="/search",
        kind="thread",
        name="threading.Thread.run",
        file="",
        line=0,
        growth=(2,),
        value="thread",
        remedy="Start it once per worker: a resource of RESIDENT_RESOURCES.",
    ),
)


class LiveServer(Protocol):
    url: str


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture
def page(
    django_db_setup: None,  # before the server, or its threads would connect by themselves
    chromium: Browser,
    live_server: LiveServer,
    client: Client,
) -> Iterator[Browser]:
    """The page of somebody who may see it, on a desk, by day, with four leaks on it."""
    for leak in LEAKS:
        for _ in range(leak.growth[-1]):
            journal.keep(leak, "GET", leak.path)
    client.force_login(User.objects.create_superuser("chris"))
    chromium.get(f"{live_server.url}/admin/login/")
    cookie = client.cookies["sessionid"].value
    chromium.add_cookie({"name": "sessionid", "value": cookie})
    chromium.screen(1440)
    chromium.prefer("light")
    chromium.get(live_server.url + PAGE)
    yield chromium
    chromium.delete_all_cookies()


def names(page: Browser) -> list[str]:
    cells = "document.querySelectorAll('#result_list tbody th code')"
    found: list[str] = page.execute_script(f"return [...{cells}].map(it => it.innerText)")
    return found


def lists(page: Browser, *leaks: Leak) -> bool:
    """Whether it comes to list these, while it loads."""
    return eventually(lambda: names(page) == [leak.name for leak in leaks])


def background(page: Browser) -> tuple[int, ...]:
    script = "return getComputedStyle(document.body).backgroundColor"
    digits = page.execute_script(script).removeprefix("rgb(").rstrip(")")
    return tuple(map(int, digits.split(",")))


def test_it_lists_the_newest_first(page: Browser) -> None:
    assert names(page) == [leak.name for leak in reversed(LEAKS)]
    headers = page.find_elements(By.CSS_SELECTOR, "#result_list thead th")
    assert [header.text for header in headers] == [
        "NAME", "KIND", "LINE", "GROWTH", "WHAT TO DO", "SEEN",
    ]  # fmt: skip
    last = page.find_elements(By.CSS_SELECTOR, "#result_list tbody tr")[-1].text
    for part in ("shop/pricing.py:12", "put in at shop/views.py:30", "1, 2, 3, 4, 5", "5 times"):
        assert part in last
    curves = page.find_elements(By.CSS_SELECTOR, "#result_list svg polyline")
    assert len(curves) == len([leak for leak in LEAKS if len(leak.growth) > 1])
    assert all(curve.size["width"] > 20 for curve in curves)


def test_a_click_on_a_line_selects_it_whole(page: Browser) -> None:
    page.find_element(By.XPATH, "//code[.='shop/pricing.py:12']").click()
    assert page.execute_script("return getSelection().toString()") == "shop/pricing.py:12"


def test_it_is_searched_and_filtered(page: Browser) -> None:
    page.find_element(By.ID, "searchbar").send_keys("views.py", Keys.ENTER)
    assert lists(page, LEAKS[1], LEAKS[0])
    page.find_element(By.LINK_TEXT, "module global").click()
    assert lists(page, LEAKS[0])
    assert (
        page.find_element(By.CSS_SELECTOR, "#changelist-filter .selected").text == "module global"
    )
    assert page.find_element(By.ID, "searchbar").get_attribute("value") == "views.py"
    page.find_element(By.LINK_TEXT, "show all").click()
    assert lists(page, *reversed(LEAKS))


def test_keys_alone_reach_everything(page: Browser) -> None:
    keys = ActionChains(page)
    reached = []
    for _ in range(60):
        keys.send_keys(Keys.TAB).perform()
        element = page.switch_to.active_element
        reached.append(element.get_attribute("id") or element.text)
    kinds = sorted(leak.kind for leak in LEAKS)
    assert [text for text in reached if text in kinds][: len(kinds)] == kinds
    assert "searchbar" in reached


def test_it_is_dark_where_the_reader_likes_it_dark(page: Browser) -> None:
    assert min(background(page)) > 200
    page.prefer("dark")
    assert max(background(page)) < 60
    cell = page.find_element(By.CSS_SELECTOR, "#result_list tbody td")
    assert cell.value_of_css_property("color") == "rgba(238, 238, 238, 1)"


@pytest.mark.parametrize("width", [1440, 1100, 800, 375, 320])
def test_nothing_is_wider_than_the_screen(page: Browser, width: int) -> None:
    page.screen(width)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    results = "document.querySelector('.results')"
    assert page.execute_script(f"return {results}.scrollWidth - {results}.clientWidth") == 0
    for cell in page.find_elements(By.CSS_SELECTOR, "#result_list td, #result_list tbody th"):
        assert cell.rect["x"] >= 0
        assert cell.rect["x"] + cell.rect["width"] <= width


def test_on_a_phone_each_cell_says_what_it_is(page: Browser) -> None:
    page.screen(375)
    script = "return getComputedStyle(arguments[0], '::before').content"
    cells = page.find_elements(By.CSS_SELECTOR, "#result_list tbody tr:first-child td")
    said = [page.execute_script(script, cell).split('"')[1] for cell in cells]
    assert said == ["Kind", "Line", "Growth", "What to do", "Seen"]


def accessible(page: Browser) -> list[tuple[str, ...]]:
    """The rows of the table as a screen reader is told them: the role of each cell."""
    nodes: list[dict[str, Any]]
    nodes = page.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    by_id = {node["nodeId"]: node for node in nodes}

    def said(node: dict[str, Any], part: str) -> str:
        return str(node.get(part, {}).get("value", ""))

    def within(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for child in node["childIds"]:
            if child in by_id:
                yield by_id[child]
                yield from within(by_id[child])

    tables = [node for node in nodes if said(node, "role") == "table"]
    (table,) = (node for node in tables if said(node, "name").lower() == "leaks, newest first")
    rows = [node for node in within(table) if said(node, "role") == "row"]
    cells = [[said(node, "role") for node in within(row)] for row in rows]
    return [tuple(role for role in row if role in CELLS) for row in cells]


CELLS = {"cell", "columnheader", "gridcell", "rowheader"}


@pytest.mark.parametrize("width", [1440, 375])
def test_a_screen_reader_is_told_a_table(page: Browser, width: int) -> None:
    page.screen(width)
    header, *rows = accessible(page)
    assert header == ("columnheader",) * 6
    assert len(rows) == len(LEAKS)
    assert set(rows) == {("rowheader", *("cell",) * 5)}


@pytest.mark.parametrize("width", [1440, 375])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("query", ["", "?q=views.py&kind=closure", "?q=nothing"])
def test_axe_finds_nothing_wrong(page: Browser, width: int, scheme: str, query: str) -> None:
    page.screen(width)
    page.prefer(scheme)
    page.get(page.current_url + query)
    assert page.violations() == []


def test_axe_finds_nothing_wrong_with_an_empty_list(page: Browser) -> None:
    journal.clear()
    page.refresh()
    assert "DEBUG is off" in page.find_element(By.ID, "content").text
    assert page.violations() == []


def test_axe_does_find_what_is_wrong(page: Browser) -> None:
    page.execute_script("document.querySelector('#result_list tbody code').style.color = '#ccc'")
    assert any(found.startswith("color-contrast") for found in page.violations())


def test_without_javascript_it_is_the_same(page: Browser) -> None:
    page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.refresh()
        page.find_element(By.LINK_TEXT, "closure").click()
        assert names(page) == [LEAKS[1].name]
    finally:
        page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_a_leak_with_names_of_any_length_breaks_no_layout(page: Browser) -> None:
    long = "shop." + "a_very_long_name_without_any_break_" * 8
    journal.keep(replace(LEAKS[0], name=long, file=f"/{long}.py"), "GET", f"/{long}")
    for width in (1440, 375):
        page.screen(width)
        page.refresh()
        assert page.execute_script("return document.documentElement.scrollWidth") <= width
