"""The pages of flags in a real browser: for every eye, on every screen, with keys alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.template.response import TemplateResponse
from django.test import Client
from pytest_django.live_server_helper import LiveServer
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By

from resident.admin import flag
from resident.flags import flag_enabled, flag_variant
from tests.browser import Browser, browser
from tests.flags.answers import SAMPLES
from tests.granian import eventually

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

PAGE = "/admin/resident/flag/"
BASKET = f"{PAGE}new_basket/"
BUTTON = f"{PAGE}checkout_button/"
WIDTHS = [1440, 1100, 800, 390, 320]
KEYS = sorted(
    [
        "checkout_button",
        "free_shipping",
        "maintenance",
        "new_basket",
        "prices_with_tax",
        "recommendations",
    ]
)
POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"


class Visit:
    """A person at the pages, on a desk, by day; lives as long as a test."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.browser = browser
        self.url = url

    def get(self, page: str) -> None:
        self.browser.get(self.url + page)

    def find(self, selector: str) -> Any:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str = "#content") -> str:
        # In one step: between two, another page may have come.
        script = "return document.querySelector(arguments[0])?.innerText ?? ''"
        return str(self.browser.execute_script(script, selector))

    def again(self) -> "Visit":
        """The same, after the page was loaded once more."""
        self.browser.refresh()
        return self

    def complaints(self) -> list[str]:
        """What the browser itself has to say of the pages since it was last asked."""
        entries = self.browser.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in entries]

    def keys(self) -> list[str]:
        cells = "document.querySelectorAll('#result_list tbody th code')"
        found: list[str] = self.browser.execute_script(
            f"return [...{cells}].map(it => it.innerText)"
        )
        return found

    def lists(self, *keys: str) -> bool:
        """Whether it comes to list these, while it loads."""
        return eventually(lambda: self.keys() == list(keys))

    def tells(self, words: str) -> bool:
        """Whether it comes to say that, likewise."""
        return eventually(lambda: words in " ".join(self.text().split()))

    def log_in(self, client: Client, user: User) -> None:
        client.force_login(user)
        self.get("/admin/login/")
        cookie = client.cookies["sessionid"].value
        self.browser.add_cookie({"name": "sessionid", "value": cookie})


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture
def visit(  # noqa: PLR0917 - fixtures are asked for by name
    django_db_setup: None,  # before the server, or its threads would connect by themselves
    chromium: Browser,
    live_server: LiveServer,
    client: Client,
    settings: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Visit]:
    """Somebody who may see everything, and flags that were asked."""
    file = tmp_path / "features.yml"
    file.write_text((SAMPLES / "shop.yml").read_text())
    monkeypatch.setattr(flag, "TemplateResponse", Strict)
    settings.RESIDENT_FLAGS = {"FEATURES": file, "FEATURES_INTERVAL": 0.05}
    for number in range(40):
        flag_enabled("new_basket", entity_id=str(number))
        flag_variant("checkout_button", entity_id=str(number))
    visit = Visit(chromium, live_server.url)
    visit.log_in(client, User.objects.create_superuser("chris"))
    chromium.screen(1440)
    chromium.prefer("light")
    visit.get(PAGE)
    yield visit
    chromium.delete_all_cookies()


class Strict(TemplateResponse):
    """Has browsers refuse everything that stands inline."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self["Content-Security-Policy"] = POLICY


# The list


def test_it_lists_all_and_what_is_said_of_each(visit: Visit) -> None:
    assert visit.keys() == KEYS
    headers = visit.browser.find_elements(By.CSS_SELECTOR, "#result_list thead th")
    assert [header.text for header in headers] == [
        "KEY", "TYPE", "STATE", "DEPENDS ON", "LAST CHANGE", "EVALUATIONS",
    ]  # fmt: skip
    row = " ".join(visit.text("#result_list tbody tr:nth-child(4)").split())
    assert row.startswith("new_basket The basket with suggestions")
    assert "boolean partly on segments and percentage none 40 off" in row


def test_it_is_searched_filtered_and_ordered(visit: Visit) -> None:
    visit.find("#searchbar").send_keys("beta", Keys.ENTER)
    assert visit.lists("new_basket", "recommendations")
    visit.browser.find_element(By.LINK_TEXT, "variant").click()
    assert visit.lists("recommendations")
    assert visit.find("#searchbar").get_attribute("value") == "beta"
    visit.browser.find_element(By.LINK_TEXT, "show all").click()
    assert visit.lists(*KEYS)
    visit.browser.find_element(By.LINK_TEXT, "EVALUATIONS").click()
    assert eventually(lambda: set(visit.keys()[:2]) == {"checkout_button", "new_basket"})


def test_a_change_of_the_file_is_seen(visit: Visit, settings: Any) -> None:
    file: Path = settings.RESIDENT_FLAGS["FEATURES"]
    file.write_text(file.read_text().replace("percentage: 25", "percentage: 60"))
    visit.get(BASKET)
    assert eventually(lambda: "60 % of all" in visit.again().text())
    assert "Last change seen\nnone" not in visit.text()


# A flag


def test_from_the_list_to_a_flag_and_back(visit: Visit) -> None:
    visit.browser.find_element(By.LINK_TEXT, "new_basket").click()
    assert visit.tells("3 25 % of all: on")
    bar = visit.find(".flag-bar rect")
    whole = visit.find(".flag-bar").size["width"]
    assert bar.size["width"] == pytest.approx(whole / 4, abs=2)
    visit.browser.find_element(By.LINK_TEXT, "Flags").click()
    assert visit.lists(*KEYS)


def test_its_shares_are_drawn_beside_their_words(visit: Visit) -> None:
    visit.get(BUTTON)
    bars = visit.browser.find_elements(By.CSS_SELECTOR, ".flag-bar rect")
    widths = [bar.size["width"] for bar in bars]
    assert widths == pytest.approx([sum(widths) * part for part in (0.5, 0.3, 0.2)], abs=2)
    fills = {bar.value_of_css_property("fill") for bar in bars}
    assert len(fills) == 3
    marks = visit.browser.find_elements(By.CSS_SELECTOR, ".flag-mark rect")
    assert {mark.value_of_css_property("fill") for mark in marks} == fills
    assert "50 % buy buckets 0 to 499" in visit.text()


def test_its_definition_is_opened(visit: Visit) -> None:
    visit.get(BASKET)
    assert "matchType" not in visit.text()
    visit.find("details.flag-raw summary").send_keys(Keys.ENTER)
    assert visit.tells('"matchType": "ALL_SEGMENT_MATCH_TYPE"')


def test_it_is_evaluated_for_an_entity_and_a_context(visit: Visit) -> None:
    visit.get(BASKET)
    visit.find("#id_entity").send_keys("1")
    visit.find("#id_context").send_keys("plan = pro", Keys.ENTER, "language = de")
    visit.find("#id_context").send_keys(Keys.ENTER, "age = 18")
    visit.find(".flag-submit input").click()
    assert visit.tells("Decided by step 2, beta and germany")
    assert "bucket 95 of 100: it played no part" in visit.text(".flag-verdict")
    assert visit.text(".flag-verdict .flags-state") == "on"
    decided = visit.find(".flag-decided")
    assert decided.text.split("\n") == ["2", "beta and germany: on", "decided"]
    visit.browser.refresh()  # as of a bookmark
    assert visit.tells("Decided by step 2, beta and germany")
    assert visit.find("#id_context").get_attribute("value").startswith("plan = pro")


def test_what_is_wrong_is_said_at_the_field(visit: Visit) -> None:
    visit.get(BASKET)
    visit.find("#id_context").send_keys("plan pro", Keys.ENTER)
    visit.find(".flag-submit input").click()
    assert visit.tells("Line 1: write 'plan pro' as key = value.")
    field = visit.find("#id_context")
    assert field.get_attribute("aria-invalid") == "true"
    described = field.get_attribute("aria-describedby").split()
    assert any("as key = value" in visit.text(f"#{it}") for it in described)
    assert visit.browser.violations() == []


def test_it_is_evaluated_for_a_user_picked_by_name(visit: Visit) -> None:
    User.objects.create_user("kim", is_staff=True)
    visit.get(BASKET)
    visit.find(".select2-selection").click()
    visit.find(".select2-search__field").send_keys("ki")
    assert eventually(lambda: visit.text(".select2-results__option--highlighted") == "kim")
    visit.find(".select2-search__field").send_keys(Keys.ENTER)
    visit.find(".flag-submit input").click()
    assert visit.tells("Decided by step 1, staff")
    assert visit.text(".select2-selection__rendered").endswith("kim")


def test_who_may_only_view_flags_picks_no_other(visit: Visit, client: Client) -> None:
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_flag"))
    visit.log_in(client, viewer)
    visit.get(BASKET)
    assert not visit.browser.find_elements(By.CSS_SELECTOR, ".select2-selection")
    visit.browser.find_element(By.XPATH, "//label[contains(., 'As myself, viewer')]").click()
    visit.find(".flag-submit input").click()
    assert visit.tells("Decided by step 1, staff")
    assert visit.browser.violations() == []


def test_without_the_permission_there_is_no_page(visit: Visit, client: Client) -> None:
    visit.log_in(client, User.objects.create_user("somebody", is_staff=True))
    for page in (PAGE, BASKET):
        visit.get(page)
        assert "403" in visit.browser.page_source
        assert "25 %" not in visit.browser.page_source


# For everybody


PAGES = {
    "list": PAGE,
    "none": f"{PAGE}?q=nothing",
    "filtered": f"{PAGE}?q=b&state=on&depends=percentage&o=asked",
    "flag": BASKET,
    "variants": BUTTON,
    "evaluated": f"{BUTTON}?person=&entity=kim&context=is_staff+%3D+false",
    "wrong": f"{BASKET}?person=0&entity=&context=plan",
}
a_page = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)


def wide(visit: Visit, width: int) -> list[str]:
    """What makes the page wider than the screen."""
    script = """return document.documentElement.scrollWidth <= arguments[0] ? [] :
        [...document.querySelectorAll("body *")]
            .filter(it => it.getBoundingClientRect().right > arguments[0])
            .map(it => it.outerHTML.slice(0, 60))"""
    found: list[str] = visit.browser.execute_script(script, width)
    return found


@pytest.mark.parametrize("width", WIDTHS)
@a_page
def test_nothing_is_wider_than_the_screen(visit: Visit, page: str, width: int) -> None:
    visit.browser.screen(width)
    visit.get(page)
    assert wide(visit, width) == []
    for box in visit.browser.find_elements(By.CSS_SELECTOR, ".results, .flag, .flag .module"):
        wider = visit.browser.execute_script(
            "return arguments[0].scrollWidth - arguments[0].clientWidth", box
        )
        assert wider <= 0, box.get_attribute("class")


LONG = """
flags:
  - key: {key}
    name: Long
    description: {key}
    enabled: true
    variants: [{{key: {key}}}]
    rules:
      - segment: {{keys: [{key}, everybody], operator: AND_SEGMENT_OPERATOR}}
        distributions: [{{variant: {key}, rollout: 33.33}}]
segments:
  - {{key: everybody, name: Everybody, match_type: ALL_MATCH_TYPE}}
  - key: {key}
    name: Long
    match_type: ALL_MATCH_TYPE
    constraints:
      - {{type: STRING_COMPARISON_TYPE, property: {key}, operator: eq, value: {key}}}
"""


@pytest.mark.parametrize("width", [1440, 320])
def test_names_of_any_length_break_no_layout(visit: Visit, settings: Any, width: int) -> None:
    key = "averylongnamewithoutanybreak" * 7
    settings.RESIDENT_FLAGS["FEATURES"].write_text(LONG.format(key=key))
    assert eventually(lambda: visit.again().keys() == [key])
    visit.browser.screen(width)
    for page in (PAGE, f"{PAGE}{key}/", f"{PAGE}{key}/?entity={key}&context={key}+%3D+{key}"):
        visit.get(page)
        assert wide(visit, width) == []
        assert visit.browser.violations() == []


def background(visit: Visit) -> tuple[int, ...]:
    script = "return getComputedStyle(document.body).backgroundColor"
    digits = visit.browser.execute_script(script).removeprefix("rgb(").rstrip(")")
    return tuple(map(int, digits.split(",")))


@pytest.mark.parametrize("page", [PAGE, BUTTON])
def test_it_is_dark_where_the_reader_likes_it_dark(visit: Visit, page: str) -> None:
    visit.get(page)
    assert min(background(visit)) > 200
    light = visit.find(".flags-state").value_of_css_property("background-color")
    visit.browser.prefer("dark")
    assert max(background(visit)) < 60
    assert visit.find(".flags-state").value_of_css_property("background-color") != light


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@a_page
def test_axe_finds_nothing_wrong(visit: Visit, page: str, scheme: str, width: int) -> None:
    visit.browser.screen(width)
    visit.browser.prefer(scheme)
    visit.get(page)
    assert visit.browser.violations() == []


def test_axe_does_find_what_is_wrong(visit: Visit) -> None:
    visit.get(BASKET)
    visit.browser.execute_script("document.querySelector('.flag-line b').style.color = '#ccc'")
    assert any(found.startswith("color-contrast") for found in visit.browser.violations())


@pytest.mark.parametrize("width", [1440, 390])
def test_on_a_phone_it_is_still_told_as_a_table(visit: Visit, width: int) -> None:
    visit.browser.screen(width)
    nodes = visit.browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    (table,) = (node for node in nodes if role(node) == "table" and named(node) == "Flags")
    rows = [node for node in within(table, nodes) if role(node) == "row"]
    told = [[role(it) for it in within(row, nodes) if role(it) in CELLS] for row in rows]
    assert told == [["columnheader"] * 6] + [["rowheader", *["cell"] * 5]] * len(KEYS)


CELLS = {"cell", "columnheader", "gridcell", "rowheader"}


def role(node: dict[str, Any]) -> str:
    return str(node.get("role", {}).get("value", ""))


def named(node: dict[str, Any]) -> str:
    return str(node.get("name", {}).get("value", "")).capitalize()


def within(node: dict[str, Any], nodes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What is inside of it, in the tree that a screen reader is told."""
    for child in nodes:
        if child["nodeId"] in node["childIds"]:
            yield child
            yield from within(child, nodes)


def test_keys_alone_reach_everything(visit: Visit) -> None:
    visit.get(BASKET)
    reached = []
    for _ in range(40):
        ActionChains(visit.browser).send_keys(Keys.TAB).perform()
        element = visit.browser.switch_to.active_element
        reached.append(element.get_attribute("id") or element.accessible_name)
    for name in ("User Nobody: a visitor", "id_entity", "id_context", "Evaluate"):
        assert name in reached
    assert any("Definition" in name for name in reached)


@a_page
def test_a_policy_against_everything_inline_is_kept(visit: Visit, page: str) -> None:
    visit.complaints()  # of earlier pages
    visit.get(page)
    assert not [it for it in visit.complaints() if "Content Security Policy" in it]
    visit.browser.execute_script("document.body.append(document.createElement('style'))")
    visit.browser.execute_script("document.querySelector('body > style').textContent = 'b {}'")
    assert [it for it in visit.complaints() if "Content Security Policy" in it]


def test_without_javascript_it_is_the_same(visit: Visit) -> None:
    visit.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        visit.get(BASKET)
        visit.find("#id_entity").send_keys("4", Keys.ENTER)
        assert visit.tells("bucket 17 of 100: below 25, so on")
    finally:
        visit.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
