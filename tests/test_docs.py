"""What the documentation says is run, and is complete."""

import ast
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from resident.conf import Settings
from tests.evidence import Evidence
from tests.granian import ROOT, Granian, clean_environment

README = (ROOT / "README.md").read_text()
LIST = r"^({}) = (\[.*?^\])"
ROW = re.compile(r"^\| (`.*?) \|", re.MULTILINE)
BLOCK = re.compile(r"```(?:python|yaml)\n# (?P<path>\S+)\n(?P<code>.*?)```", re.DOTALL)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A new Django project, to which everything in the README and the guides was added."""
    subprocess.run(
        [sys.executable, "-m", "django", "startproject", "shop", tmp_path],
        env=clean_environment(),
        check=True,
    )
    for path, code in blocks():
        file = tmp_path / path
        if path.endswith("settings.py"):
            file.write_text(file.read_text() + "\n" + added_to_settings(code))
        else:
            file.write_text(code)
    settings = tmp_path / "shop" / "settings.py"
    settings.write_text(settings.read_text() + '\nALLOWED_HOSTS = ["127.0.0.1"]\n')
    return tmp_path


def blocks() -> Iterator[tuple[str, str]]:
    guides = [(ROOT / "docs" / name).read_text() for name in ("isolation.md", "secrets.md")]
    for found in BLOCK.finditer("".join([README, *guides])):
        yield found["path"], found["code"]


def added_to_settings(code: str) -> str:
    """The block as a reader adds it: its entries before those that the lists have already."""
    lists = re.compile(LIST.format("INSTALLED_APPS|MIDDLEWARE"), re.MULTILINE | re.DOTALL)
    return lists.sub(r"\1 = \2 + \1", code)


def test_the_readme_adds_it_to_a_project(shop: Path, evidence: Evidence) -> None:
    environment = {"DJANGO_SETTINGS_MODULE": "shop.settings", "PYTHONPATH": str(shop)}
    with Granian(
        evidence, environment, folder=shop, application="shop.wsgi:application"
    ) as granian:
        state = granian.serving().get("/health/ready").json()
        assert state["resources"] == {"secrets": "open", "flags": "open", "search": "open"}
        assert granian.get("/basket").text == "Come back soon."
        features = shop / "shop" / "features.yml"
        features.write_text(features.read_text().replace("percentage: 25", "percentage: 100"))
        assert granian.eventually("Your basket, plain.", "/basket")


RESET = """
import django; django.setup()
from resident.isolation.request import Request
from resident.isolation.resetters import Resetters
from shop.tracing import spans

spans.append("the worker's")
resetters = Resetters.of_project()
begun = resetters.begin()
spans.append("the request's")
resetters.reset(Request({}), begun)
print(spans)
"""


def test_a_resetter_of_ones_own_is_run(shop: Path) -> None:
    environment = clean_environment(DJANGO_SETTINGS_MODULE="shop.settings")
    ran = subprocess.run(
        [sys.executable, "-c", RESET],
        cwd=shop,
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    assert ran.stdout == '["the worker\'s"]\n'


def test_the_readme_finds_the_line_that_leaks(shop: Path) -> None:
    """What it prints is what the README says that it prints."""
    command, _, printed = README.partition("    $ python manage.py findleaks /prices\n")
    assert command
    ran = subprocess.run(
        [sys.executable, "manage.py", "findleaks", "/prices"],
        cwd=shop,
        env=clean_environment(DJANGO_SETTINGS_MODULE="shop.settings"),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert printed.startswith(textwrap.indent(ran.stdout, "    "))


def test_the_readme_has_both_commands() -> None:
    assert "    pip install -e . && granian --interface wsgi project.wsgi:application\n" in README
    assert "    pip install -e '.[dev]' && pytest\n" in README


def test_every_setting_is_documented() -> None:
    source = ast.unparse(ast.parse((ROOT / "resident" / "conf.py").read_text()))
    documented = (ROOT / "docs" / "settings.md").read_text()
    settings = set(re.findall(r"'(RESIDENT_\w+)'", source))
    assert len(settings) == len(set(re.findall(r"^## `(RESIDENT_\w+)`", documented, re.MULTILINE)))
    for name in settings:
        assert f"## `{name}`" in documented
    keys = re.findall(r"(?:_flags\.get\(|_secrets\.get\(|_seconds\(.*?, )'(\w+)'", source)
    assert {"INTERVAL", "MAX_AGE", "BACKEND", "DEADLINE"} <= set(keys)
    for key in keys:
        assert f"| `{key}` |" in documented
    assert Settings.__doc__


def test_every_check_is_documented() -> None:
    source = (ROOT / "resident" / "checks.py").read_text()
    ids = set(re.findall(r"""["'](?:resident\.)?([EW]\d{3})["']""", source))
    assert {"E001", "W001", "W012"} <= ids
    documented = (ROOT / "docs" / "settings.md").read_text()
    assert ids == set(re.findall(r"^\| `resident\.([EW]\d{3})` \|", documented, re.MULTILINE))


def test_every_variable_is_documented() -> None:
    read = set(re.findall(r'env\.\w+\(\s*"(\w+)"', (ROOT / "project" / "settings.py").read_text()))
    tutorial = (ROOT / "docs" / "tutorial.md").read_text()
    told = set(re.findall(r"`(\w+)`", " ".join(ROW.findall(tutorial))))
    assert read == told


PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("https://"):
            assert page.parent.joinpath(target).exists(), target


def test_the_figures_are_those_that_were_printed() -> None:
    printed = (ROOT / "benchmarks" / "greeting.txt").read_text().splitlines()
    costs = README.partition("## What it costs")[2].partition("\n## ")[0]
    rows = [line for line in costs.splitlines() if line.startswith("|")]
    assert len(rows) > 5
    assert set(rows) <= set(printed)
