"""`manage.py check` names what is wrong, and what to do about it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage
from django.db import connections
from django.test import override_settings

from resident import checks
from resident.checks import (
    blocking_threads,
    check_databases,
    check_flags,
    check_middleware,
    check_settings,
    check_visitors,
)
from tests.flags.asked import served
from tests.granian import ROOT, clean_environment

OURS = checks.RESET_STATE
DATABASE = {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": 60, "OPTIONS": {}}


def ids(found: Iterable[CheckMessage]) -> list[str]:
    return [str(message.id).removeprefix("resident.") for message in found]


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ([OURS], []),
        ([], ["W001"]),
        ([checks.SESSION], ["W001"]),
        ([checks.SESSION, OURS], ["W002"]),
        ([OURS, checks.SESSION, OURS], ["W003"]),
        ([checks.SESSION, OURS, OURS], ["W002", "W003"]),
        ([OURS, checks.SESSION, checks.LOCALE, checks.COMMON], []),
        ([OURS, checks.LOCALE], []),
        ([OURS, checks.COMMON, checks.SESSION], []),
        ([OURS, checks.LOCALE, checks.SESSION], ["W004"]),
        ([OURS, checks.COMMON, checks.LOCALE], ["W004"]),
    ],
)
def test_middleware(listed: list[str], expected: list[str]) -> None:
    with override_settings(MIDDLEWARE=listed):
        assert ids(check_middleware()) == expected


def test_this_project_has_no_fault() -> None:
    assert not [*check_middleware(), *check_settings(), *check_databases(), *check_flags()]
    assert not check_visitors()


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("RESIDENT_RESETTERS", ["no.such.resetter"], "'no.such.resetter', which can't be imported"),
        (
            "RESIDENT_RESETTERS",
            ["resident.conf.conf"],
            "'resident.conf.conf', which is no",
        ),
        ("RESIDENT_RESETTERS", ["datetime.date"], "'datetime.date', which is no function"),
        ("RESIDENT_RESETTERS", "shop.reset", "RESIDENT_RESETTERS is of type str"),
        ("RESIDENT_FLUSH", ["shop.prices"], "'shop.prices', which is not there"),
        ("RESIDENT_FLUSH", ["shop"], "'shop', which is not there"),
        ("RESIDENT_FLUSH", [1], "RESIDENT_FLUSH is of type list"),
        ("RESIDENT_RESOURCES", ["shop.search"], "'shop.search', which can't be imported"),
        ("RESIDENT_KEEP", {"sys.path": True}, "RESIDENT_KEEP is of type dict"),
        ("RESIDENT_SESSION", "sometimes", "RESIDENT_SESSION is 'sometimes'"),
        ("RESIDENT_SECRETS", {"INTERVAL": -1}, "RESIDENT_SECRETS['INTERVAL'] is -1"),
        ("RESIDENT_FLAGS", {"CONTEXT": "shop.context"}, "'shop.context', which can't be imported"),
        ("RESIDENT_FLAGS", {"COOKIE": "a;b"}, "RESIDENT_FLAGS['COOKIE'] is 'a;b'"),
        ("RESIDENT_UNDO", True, "RESIDENT_UNDO is True"),
        ("RESIDENT_FINDLEAKS", [], "RESIDENT_FINDLEAKS is of type list"),
        ("RESIDENT_FINDLEAKS", {"EXCLUDE": "logout"}, r"RESIDENT_FINDLEAKS['EXCLUDE'] is of type"),
        ("RESIDENT_FINDLEAKS", {"EXCLUDE": ["("]}, r"RESIDENT_FINDLEAKS['EXCLUDE'] lists '('"),
    ],
)
def test_settings(setting: str, value: object, said: str) -> None:
    with override_settings(**{setting: value}):
        (fault,) = check_settings()
    assert fault.id == "resident.E001"
    assert said in fault.msg
    assert str(fault.hint)[0].isupper()


def test_each_fault_of_a_list_is_named() -> None:
    with override_settings(RESIDENT_RESETTERS=["no.such", "resident.conf.conf", "no.other"]):
        assert [fault.msg.split("'")[1] for fault in check_settings()] == [
            "no.such",
            "resident.conf.conf",
            "no.other",
        ]


@pytest.mark.parametrize(
    ("database", "threads", "expected"),
    [
        (DATABASE, "8", []),
        (DATABASE, "101", ["W005"]),
        (DATABASE | {"CONN_MAX_AGE": None}, "101", ["W005"]),
        (DATABASE | {"CONN_MAX_AGE": 0}, "101", []),
        (DATABASE | {"CONN_MAX_AGE": 0, "OPTIONS": {"pool": True}}, "4", []),
        (DATABASE | {"CONN_MAX_AGE": 0, "OPTIONS": {"pool": True}}, "5", ["W005"]),
        (DATABASE | {"CONN_MAX_AGE": 0, "OPTIONS": {"pool": {"min_size": 9}}}, "9", []),
        (DATABASE | {"CONN_MAX_AGE": 0, "OPTIONS": {"pool": {"max_size": 7}}}, "8", ["W005"]),
        (DATABASE | {"OPTIONS": {"prepare_threshold": 5}}, "8", ["W006"]),
        (DATABASE | {"OPTIONS": {"prepare_threshold": None}}, "8", []),
        (DATABASE | {"CONN_MAX_AGE": 0, "OPTIONS": {"prepare_threshold": 5}}, "8", []),
        ({"ENGINE": "django.db.backends.sqlite3", "CONN_MAX_AGE": None}, "101", []),
    ],
)
def test_databases(
    database: dict[str, Any], threads: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRANIAN_BLOCKING_THREADS", threads)
    monkeypatch.setitem(connections.settings, "default", {"OPTIONS": {}, **database})
    assert ids(check_databases()) == expected


def test_database_without_psycopg_3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.settings, "default", DATABASE)
    monkeypatch.setattr(checks, "find_spec", lambda _: None)
    assert ids(check_databases()) == ["W007"]


@pytest.mark.parametrize(
    ("argv", "environ", "threads"),
    [
        (["/venv/bin/granian", "--blocking-threads", "8", "project.wsgi"], {}, 8),
        (["granian", "--blocking-threads=3", "project.wsgi"], {}, 3),
        (["granian", "--blocking-threads", "8"], {"GRANIAN_BLOCKING_THREADS": "9"}, 8),
        (["granian", "project.wsgi"], {"GRANIAN_BLOCKING_THREADS": "9"}, 9),
        (["granian", "project.wsgi"], {}, 512),
        (["granian", "--blocking-threads", "many"], {}, 512),
        (["manage.py", "check"], {}, None),
    ],
)
def test_blocking_threads(argv: list[str], environ: dict[str, str], threads: int | None) -> None:
    assert blocking_threads(argv, environ) == threads


FEATURES = """
flags:
  - {key: new, name: New, type: BOOLEAN_FLAG_TYPE}
  - key: style
    name: Style
    variants: [{key: plain}, {key: loud}]
---
namespace: shop
flags:
  - {key: basket, name: Basket, type: BOOLEAN_FLAG_TYPE}
"""

HAVING = "from resident.flags import BooleanFlag, VariantFlag\n"


@pytest.fixture
def declaring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Makes two apps, of which each declares some flags, beside a features file."""
    (tmp_path / "features.yml").write_text(FEATURES)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def declare(*modules: str) -> None:
        for name, module in zip(("one_app", "other_app"), modules, strict=False):
            (tmp_path / name).mkdir()
            (tmp_path / name / "__init__.py").touch()
            (tmp_path / name / "flags.py").write_text(HAVING + module)
        names = ["one_app", "other_app"][: len(modules)]
        monkeypatch.setattr(settings, "INSTALLED_APPS", ["resident", *names])
        apps.set_installed_apps(settings.INSTALLED_APPS)

    with override_settings(RESIDENT_FLAGS={"FEATURES": tmp_path / "features.yml"}):
        yield declare
    apps.unset_installed_apps()
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("module", "expected", "said"),
    [
        ("new = BooleanFlag('new')", [], ""),
        ("style = VariantFlag('style', 'plain', ('plain', 'loud'))", [], ""),
        ("style = VariantFlag('style')", [], ""),
        ("basket = BooleanFlag('basket', namespace='shop')", [], ""),
        ("new = alias = BooleanFlag('new')", [], ""),
        (
            "gone = BooleanFlag('gone')",
            ["W008"],
            "The flag 'gone', declared as one_app.flags.gone, is not in the features file.",
        ),
        ("basket = BooleanFlag('basket')", ["W008"], "The flag 'basket', declared as"),
        (
            "style = BooleanFlag('style')",
            ["W009"],
            "declared as a boolean flag, one_app.flags.style, and is a variant flag",
        ),
        ("new = VariantFlag('new')", ["W009"], "as a variant flag, one_app.flags.new, and is a b"),
        (
            "style = VariantFlag('style', 'odd', ('plain', 'odd', 'other'))",
            ["W010"],
            "declared as one_app.flags.style, has no variant 'odd', 'other' in the features file.",
        ),
        (
            "a = BooleanFlag('new')\nb = BooleanFlag('new', default=True)",
            ["W011"],
            "The flag 'new' is declared in two ways: one_app.flags.a and one_app.flags.b.",
        ),
        ("a = BooleanFlag('new')\nb = BooleanFlag('new', namespace='default')", ["W011"], "'new'"),
        ("a = BooleanFlag('x', namespace='none')", ["W012"], "has no namespace 'none', but"),
    ],
)
def test_flags(declaring: Callable[..., None], module: str, expected: list[str], said: str) -> None:
    declaring(module)
    found = check_flags()
    assert ids(found) == expected
    assert all(said in it.msg and str(it.hint)[0].isupper() for it in found)


def test_flags_that_two_apps_declare(declaring: Callable[..., None]) -> None:
    declaring("new = BooleanFlag('new')", "new = BooleanFlag('new', description='The new.')")
    assert [it.msg for it in check_flags()] == [
        "The flag 'new' is declared in two ways: one_app.flags.new and other_app.flags.new."
    ]


def test_flags_that_two_apps_declare_alike(declaring: Callable[..., None]) -> None:
    declaring("new = BooleanFlag('new')", "from one_app.flags import new")
    assert not check_flags()


def test_flags_without_a_features_file(declaring: Callable[..., None]) -> None:
    declaring("gone = BooleanFlag('gone')\nother = VariantFlag('gone')")
    with override_settings(RESIDENT_FLAGS={}):
        assert ids(check_flags()) == ["W011"]


class TestVisitors:
    """A share of all, and all are one."""

    @pytest.fixture(autouse=True)
    def _served(self, tmp_path: Path) -> Iterator[None]:
        with served(tmp_path):
            yield

    def test_told_from_each_other(self) -> None:
        with override_settings(MIDDLEWARE=[OURS, checks.UPDATE_CACHE, checks.VISITOR]):
            assert not check_visitors()

    def test_all_one(self) -> None:
        with override_settings(MIDDLEWARE=[OURS]):
            found = check_visitors()
        assert ids(found) == ["W013", "W013"]
        assert [it.msg.split("'")[1] for it in found] == ["half", "shades"]

    def test_kept_by_a_cache_in_front(self) -> None:
        with override_settings(MIDDLEWARE=[OURS, checks.VISITOR, checks.UPDATE_CACHE]):
            (found,) = check_visitors()
        assert found.id == "resident.W014"
        assert str(found.hint).endswith("after it.")

    def test_no_features_file(self, tmp_path: Path) -> None:
        for options in ({}, {"FEATURES": tmp_path / "none.yml"}):
            with override_settings(RESIDENT_FLAGS=options, MIDDLEWARE=[OURS]):
                assert not check_visitors()


@pytest.mark.parametrize("text", [None, "flags: [", "flags: 1"])
def test_a_features_file_that_can_not_be_read(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "features.yml"
    if text is not None:
        path.write_text(text)
    with override_settings(RESIDENT_FLAGS={"FEATURES": path}):
        (fault,) = check_flags()
    assert fault.id == "resident.W012"
    assert f"The features file {path} " in fault.msg
    assert str(fault.hint).startswith("Correct the file")


def test_a_namespace_that_is_served_and_not_in_the_features_file(tmp_path: Path) -> None:
    path = tmp_path / "features.yml"
    path.write_text(FEATURES)
    with override_settings(RESIDENT_FLAGS={"FEATURES": path, "NAMESPACES": ["shop", "none"]}):
        (fault,) = check_flags()
    assert "has no namespace 'none', but 'default', 'shop'" in fault.msg


@pytest.mark.parametrize("flags", [[], {"NAMESPACES": "shop", "FEATURES": "x"}])
def test_a_malformed_setting_is_said_once(flags: object) -> None:
    with override_settings(RESIDENT_FLAGS=flags):
        assert not check_flags()
        assert check_settings()


def test_manage_py_says_it() -> None:
    """All at once, and each with its remedy."""
    program = (
        "from django.conf import settings\n"
        "from django.core.management import call_command\n"
        "import django\n"
        "django.setup()\n"
        "settings.MIDDLEWARE = settings.MIDDLEWARE[1:]\n"
        "options = {'prepare_threshold': 5}\n"
        "settings.DATABASES['default'].update(CONN_MAX_AGE=9, OPTIONS=options)\n"
        "settings.RESIDENT_RESETTERS = ['shop.no_such']\n"
        "call_command('check')\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=clean_environment() | {"PYTHONPATH": os.fspath(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "(resident.W001) MIDDLEWARE does not list" in ran.stderr
    assert "HINT: List it first." in ran.stderr
    assert "(resident.W006) DATABASES['default'] keeps" in ran.stderr
    assert "(resident.E001) RESIDENT_RESETTERS names 'shop.no_such'" in ran.stderr
