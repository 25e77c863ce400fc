"""The guide to flags is run: a new project with all that it says, and its tests."""

import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.granian import ROOT, clean_environment
from tests.test_docs import added_to_settings

GUIDE = (ROOT / "docs" / "flags.md").read_text()
BLOCK = re.compile(
    r"```(?:python|yaml|html)\n(?:# |<!-- )(?P<path>\S+)(?: -->)?\n(?P<code>.*?)```", re.DOTALL
)
COMMANDS = re.compile(r"^    \$ (python manage\.py flags .*)\n((?:    .+\n)+)", re.MULTILINE)

BESIDES = '''
"""What the guide says and does not test itself."""

import asyncio

import pytest
from django.contrib.auth.models import Group, User
from django.test import AsyncClient, Client
from django.urls import reverse

from resident.flags import flag_enabled
from resident.testing import override_flag
from shop.hearing import heard
from shop.teams import sees_new_checkout

pytestmark = pytest.mark.django_db


def get(url, client=None):
    response = (client or Client()).get(url)
    return response.content.decode() if response.status_code == 200 else response.status_code


@pytest.fixture
def staff(client):
    client.force_login(User.objects.create_user("ada", is_staff=True))
    return client


@pytest.fixture
def customer(client):
    user = User.objects.create_user("bob", is_staff=True)
    user.groups.add(Group.objects.create(name="customers"))
    client.force_login(user)
    return client


def test_asking(staff):
    assert get("/checkout/", staff) == "The checkout of one page, plain, 1 columns."
    assert get("/state/", staff) == "checkout_style: plain, new_checkout: True, sale: False"
    assert get("/banner/", staff) == ""


def test_a_context_of_its_own(customer):
    assert get("/checkout/", customer) == "The checkout of one page, compact, 2 columns."
    assert get("/compact/", customer) == "Compact."


def test_percentages():
    answers = [sees_new_checkout(None, number) for number in range(200)]
    assert 20 < sum(answers) < 80


def test_visitors():
    answers = set()
    for _ in range(30):
        client = Client()
        response = client.get("/checkout/")
        assert "resident_visitor" in client.cookies
        assert "Cookie" in response.headers["Vary"]
        assert client.get("/checkout/").content == response.content
        answers.add(response.content[:22])
    assert len(answers) == 2


def test_views(staff):
    assert get("/express/", staff) == "Express."
    assert get("/compact/", staff) == "As it was."
    assert get("/beta/3/", staff) == "As it was."
    assert get("/offers/", staff) == get("/prices/", staff) == 404
    assert staff.get("/sale/").headers["Location"] == "/checkout/"
    assert get("/sale/list/", staff).startswith("checkout_style")
    assert reverse("beta", args=[3]) == "/beta/3/"
    with override_flag("sale", True), override_flag("new_checkout", False):
        assert get("/offers/") == "Offers"
        assert get("/prices/") == "Lower."
        assert get("/sale/list/") == "As it was."
        assert get("/express/") == get("/beta/3/") == 404


def test_a_view_asks_for_a_team():
    for number in range(10):
        is_in = flag_enabled("new_checkout", entity_id=f"team-{number}")
        expected = f"Offers for team {number}." if is_in else "As it was."
        assert get(f"/offers/{number}/") == expected
    assert asyncio.run(AsyncClient().get("/offers/3/")).status_code == 200


def test_templates(customer):
    text = get("/basket/", customer)
    assert '<a href="/express/">Express</a>' in text
    assert "compact 2" in " ".join(text.split())
    is_in = flag_enabled("new_checkout", entity_id="team-7")
    assert ("the team" in get("/basket/", Client())) is is_in


def test_who_hears():
    heard.clear()
    get("/sale/")
    assert heard == ["sale: False"]


def test_openfeature():
    from shop.features import has_sale

    assert has_sale("7") is False
    with override_flag("sale", True):
        assert has_sale("7") is True
'''


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new Django project, to which everything in the guide was added."""
    folder = tmp_path_factory.mktemp("shop")
    run(folder, "-m", "django", "startproject", "shop", str(folder))
    for path, code in blocks():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        before = file.read_text() + "\n" if path.endswith("settings.py") else ""
        file.write_text(before + (added_to_settings(code) if before else code))
    (folder / "shop/templates/shop/offers.html").write_text("Offers")
    (folder / "besides.py").write_text(BESIDES)
    return folder


def blocks() -> Iterator[tuple[str, str]]:
    for found in BLOCK.finditer(GUIDE):
        yield found["path"], found["code"]


def run(folder: Path, *command: str) -> str:
    ran = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=clean_environment(DJANGO_SETTINGS_MODULE="shop.settings", PYTHONPATH=str(folder)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def test_every_block_is_in_the_project(shop: Path) -> None:
    paths = [path for path, _ in blocks()]
    assert len(paths) == GUIDE.count("\n```") / 2
    assert len(set(paths)) == len(paths)


@pytest.mark.slow
def test_what_it_says_is_so(shop: Path) -> None:
    told = run(shop, "-m", "pytest", "-q", "shop/tests.py", "besides.py")
    assert re.search(r"^\d+ passed", told, re.MULTILINE), told


def test_the_project_has_no_fault(shop: Path) -> None:
    told = run(shop, "manage.py", "check", "--fail-level", "WARNING")
    assert "no issues" in told


def test_the_commands_print_what_it_says(shop: Path) -> None:
    found = COMMANDS.findall(GUIDE)
    assert len(found) >= 2
    for command, printed in found:
        told = run(shop, *command.split()[1:])
        assert textwrap.dedent(printed).rstrip() == told.rstrip()


def test_every_command_is_one(shop: Path) -> None:
    for command in re.findall(
        r"^    python (manage\.py flags (?:list|show|check|snapshot).*)", GUIDE, re.MULTILINE
    ):
        run(shop, *command.split())
