"""`manage.py flags` shows, evaluates, compares and saves what a worker would serve."""

import json
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.http import HttpRequest
from django.test import override_settings

from resident.flags import features
from resident.flags.resource import current
from resident.testing import FakeFlipt
from resident.worker import worker
from tests.evidence import BOOTSTRAP_TOKEN

FEATURES = """
flags:
  - key: new_checkout
    name: New checkout
    description: |
      The checkout
      of one page.
    type: BOOLEAN_FLAG_TYPE
    rollouts:
      - segment: {key: staff, value: true}
      - threshold: {percentage: 25, value: true}
  - key: style
    name: Style
    enabled: true
    variants:
      - {key: plain, default: true}
      - {key: loud, attachment: {mark: "!"}}
    rules:
      - {segment: pro, distributions: [{variant: loud, rollout: 100}]}
  - {key: everywhere, name: Everywhere, type: BOOLEAN_FLAG_TYPE, enabled: true}
segments:
  - key: staff
    name: Staff
    match_type: ALL_MATCH_TYPE
    constraints:
      - {type: BOOLEAN_COMPARISON_TYPE, property: is_staff, operator: "true"}
  - key: pro
    name: Pro
    match_type: ALL_MATCH_TYPE
    constraints:
      - {type: STRING_COMPARISON_TYPE, property: plan, operator: eq, value: pro}
---
namespace: shop
flags:
  - {key: basket, name: Basket, type: BOOLEAN_FLAG_TYPE}
"""

OF_SERVER = """
version: "1.2"
flags:
  - key: style
    name: Style
    type: VARIANT_FLAG_TYPE
    enabled: true
    variants: [{key: plain}, {key: loud, attachment: {mark: "!"}}]
    rules:
      - segment: {keys: [everybody, pro], operator: AND_SEGMENT_OPERATOR}
        distributions: [{variant: loud, rollout: 30}, {variant: plain, rollout: 30}]
segments:
  - {key: everybody, name: Everybody, match_type: ANY_MATCH_TYPE}
  - key: pro
    name: Pro
    match_type: ALL_MATCH_TYPE
    constraints:
      - {type: STRING_COMPARISON_TYPE, property: plan, operator: eq, value: pro}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "features.yml"
    path.write_text(FEATURES)
    return path


@pytest.fixture(autouse=True)
def _served(path: Path) -> Iterator[None]:
    with override_settings(RESIDENT_FLAGS={"FEATURES": path, "NAMESPACES": ["shop"]}):
        yield


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("flags", *arguments, stdout=out)
    return out.getvalue()


def run_json(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


def test_list(path: Path) -> None:
    lines = run("list").splitlines()
    assert lines == [
        "everywhere    boolean  on         everybody alike",
        "new_checkout  boolean  partly on  segments and percentage  The checkout of one page.",
        "style         variant  on         segments",
        f"3 flags in the features file {path}, namespace 'default'.",
    ]


def test_list_of_another_namespace_and_of_none(path: Path) -> None:
    assert run("list", "--namespace", "shop").splitlines() == [
        "basket  boolean  off  everybody alike",
        f"1 flag in the features file {path}, namespace 'shop'.",
    ]
    with override_settings(RESIDENT_FLAGS={}):
        worker.close()
        assert run("list").startswith("0 flags in ")


def test_list_for_a_script() -> None:
    listed = run_json("list")
    assert [it["key"] for it in listed] == ["everywhere", "new_checkout", "style"]
    assert listed[1] == {
        "namespace": "default",
        "key": "new_checkout",
        "name": "New checkout",
        "description": "The checkout\nof one page.\n",
        "type": "boolean",
        "enabled": False,
        "state": "partly on",
        "depends_on": "segments and percentage",
    }


def test_show() -> None:
    shown = run("show", "new_checkout")
    assert shown.startswith("new_checkout: boolean, partly on, segments and percentage\n")
    assert "  1. staff: on\n" in shown
    assert "  2. 25 % of all: on\n" in shown
    assert "  staff: is_staff is true\n" in shown


def test_show_for_a_script() -> None:
    shown = run_json("show", "style")
    assert shown["defaultVariant"]["key"] == "plain"
    assert shown["rules"][0]["segments"][0]["key"] == "pro"


def test_eval() -> None:
    told = run("eval", "style", "--entity", "7", "--context", "plan=pro", "--context", "a=b=c")
    assert told.splitlines() == [
        "style: loud",
        'attached: {"mark": "!"}',
        "decided by: step 1, pro",
        "reason: MATCH",
        "segments: pro",
        "bucket: -",
        "entity: 7",
        "context: plan=pro",
    ]
    told = run("eval", "new_checkout", "--entity", "7")
    assert "new_checkout: o" in told
    assert "bucket: bucket " in told
    assert "context: -" in told


def test_eval_for_a_script() -> None:
    told = run_json("eval", "style", "--entity", "7", "--context", "plan=pro")
    assert told == {
        "key": "style",
        "value": "loud",
        "attachment": {"mark": "!"},
        "decided_by": "step 1, pro",
        "reason": "MATCH",
        "segments": ["pro"],
        "bucket": None,
        "rank": 1,
        "entity": "7",
        "context": {"plan": "pro"},
    }
    told = run_json("eval", "everywhere")
    assert (told["value"], told["attachment"], told["entity"]) == (True, None, "anonymous")


@pytest.mark.django_db
def test_eval_for_a_user() -> None:
    user = User.objects.create_user("ada", is_staff=True)
    told = run_json("eval", "new_checkout", "--user", "ada")
    assert told["value"] is True
    assert told["segments"] == ["staff"]
    assert told["entity"] == str(user.pk)
    assert told["context"] == {"is_staff": "true"}
    told = run_json("eval", "new_checkout", "--user", "ada", "--context", "is_staff=false")
    assert told["segments"] == []


def host_of(request: HttpRequest) -> dict[str, object]:
    return {"plan": request.get_host()}


def failing(request: HttpRequest) -> dict[str, object]:
    raise LookupError("on purpose")


@pytest.mark.django_db
def test_the_request_of_a_user_can_have_been_one(path: Path) -> None:
    User.objects.create_user("ada")
    flags = {"FEATURES": path, "CONTEXT": f"{__name__}.host_of"}
    with override_settings(RESIDENT_FLAGS=flags, ALLOWED_HOSTS=["*", ".example.com"]):
        assert run_json("eval", "style", "--user", "ada")["context"] == {"plan": "example.com"}
    with override_settings(RESIDENT_FLAGS=flags, ALLOWED_HOSTS=["*"]):
        assert run_json("eval", "style", "--user", "ada")["context"] == {"plan": "localhost"}


@pytest.mark.django_db
def test_a_context_that_can_not_be_built(path: Path) -> None:
    User.objects.create_user("ada")
    for name, said in (
        ("failing", "The context of the user 'ada' can't be built: LookupError: on purpose."),
        ("no_such", "RESIDENT_FLAGS['CONTEXT'] is"),
    ):
        with (
            override_settings(RESIDENT_FLAGS={"FEATURES": path, "CONTEXT": f"{__name__}.{name}"}),
            pytest.raises(CommandError) as raised,
        ):
            run("eval", "style", "--user", "ada")
        assert str(raised.value).startswith(said)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "new_chekout"], "The flag 'new_chekout' is unknown to the features file"),
        (["show", "new_chekout"], "is it 'new_checkout'?"),
        (["show", "zzz"], "`manage.py flags list` shows those that it has."),
        (["eval", "zzz"], "The flag 'zzz' is unknown to"),
        (["eval", "style", "--context", "plan"], "--context 'plan' is no pair of name and value"),
        (["eval", "style", "--context", "=x"], "write it as plan=pro"),
        (["eval", "style", "--user", "nobody"], "There is no user 'nobody'"),
        (["eval", "style", "--entity", " "], "can't be evaluated"),
        (["list", "--namespace", "other"], "'other' is not served, but 'default', 'shop'"),
        (["check", "no/such/folder"], "'no/such/folder' is not there"),
        (["snapshot", "--output", "no/such/folder/x"], "can't be saved in no/such/folder/x"),
        (["eval", "style", "--user", "a", "--entity", "b"], "not allowed with argument --user"),
        ([], "the following arguments are required: ACTION"),
    ],
)
def test_what_can_not_be_asked(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError) as raised:
        run(*arguments)
    assert said in str(raised.value)
    assert raised.value.returncode == 1


def test_flags_that_can_not_be_had(tmp_path: Path) -> None:
    flags = {"FEATURES": tmp_path / "none.yml", "DEADLINE": 0.1}
    with override_settings(RESIDENT_FLAGS=flags), pytest.raises(CommandError, match="can't be re"):
        run("list")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project of its own: an app, settings in a package, URLs, templates in two places."""
    for name, text in {
        "base/__init__.py": "",
        "base/settings.py": "",
        "base/urls.py": "from resident.flags import flagged_path\n"
        "urlpatterns = [flagged_path('everywhere', '', list)]\n",
        "orders/__init__.py": "",
        "orders/views.py": "from resident.flags import flag_enabled, flag_variant\n\n"
        "def view(request):\n"
        "    flag_enabled('new_checkout', request)\n"
        "    flag_enabled('gone', request)\n"
        "    flag_variant(request.GET['style'])\n"
        "    flag_enabled('basket', namespace='shop')\n",
        "orders/broken.py": "def",
        "orders/templates/page.html": "{% load flags %}\n{% flag 'gone' %}{% endflag %}",
        "orders/templates/image.png": "\x89PNG\xff",
        "templates/mail.txt": "{% load flags %}{% flag 'of_mail' %}{% endflag %}",
        "tests/test_it.py": "from resident.testing import override_flag\n"
        "override_flag('style', 'loud')\n",
        "tests/page.html": "{% load flags %}{% flag 'of_tests' %}{% endflag %}",
    }.items():
        file = tmp_path / "shop" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="latin-1")
    monkeypatch.chdir(tmp_path / "shop")
    monkeypatch.syspath_prepend(tmp_path / "shop")
    before = set(sys.modules)
    templates = {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [tmp_path / "shop" / "templates"],
        "APP_DIRS": True,
    }
    with override_settings(
        INSTALLED_APPS=["resident", "django.contrib.auth", "django.contrib.contenttypes", "orders"],
        SETTINGS_MODULE="base.settings",
        ROOT_URLCONF="base.urls",
        TEMPLATES=[templates],
    ):
        yield tmp_path / "shop"
    for name in set(sys.modules) - before:
        del sys.modules[name]


MISSING = """\
missing: gone
  orders/views.py:5: flag_enabled
  orders/templates/page.html:2: {% flag %}
missing: of_mail
  templates/mail.txt:1: {% flag %}
unused: style
not looked at, as the key comes from a variable:
  orders/views.py:6: flag_variant
Flags are named 6 times here; the source has 4.
"""


def checked(*arguments: str) -> tuple[str, str, str]:
    """What `check` prints, what it notes, and how it fails."""
    out, err = StringIO(), StringIO()
    problem = ""
    try:
        call_command("flags", "check", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        problem = str(error)
    return out.getvalue(), err.getvalue(), problem


@pytest.mark.usefixtures("shop")
def test_check_finds_what_the_source_lacks() -> None:
    printed, noted, problem = checked()
    assert printed == MISSING
    assert problem.startswith("2 flags in use that the source does not have.")
    assert "orders/broken.py could not be looked at: " in noted
    assert noted.count("could not be looked at") == 1


def test_check_looks_at_further_folders(shop: Path) -> None:
    printed, _, problem = checked("tests", str(shop / "tests/test_it.py"))
    assert "unused" not in printed
    assert "missing: of_tests\n  tests/page.html:1: {% flag %}\n" in printed
    assert problem.startswith("3 flags in use")
    assert "named 8 times" in printed, "nothing is counted twice"


@pytest.mark.usefixtures("shop")
def test_check_for_a_script() -> None:
    printed, _, problem = checked("--json")
    found = json.loads(printed)
    assert problem
    assert list(found["missing"]) == ["gone", "of_mail"]
    assert found["missing"]["of_mail"] == [
        {"file": "templates/mail.txt", "line": 1, "by": "{% flag %}"}
    ]
    assert found["unused"] == ["style"]
    assert list(found["used"]) == ["everywhere", "new_checkout", "shop/basket"]
    assert [it["line"] for it in found["unknown"]] == [6]


def test_check_passes_where_all_is_there(shop: Path) -> None:
    for name in ("orders/templates/page.html", "templates/mail.txt"):
        (shop / name).unlink()
    views = shop / "orders" / "views.py"
    views.write_text(views.read_text().replace("gone", "new_checkout"))
    printed, _, problem = checked()
    assert not problem
    assert "unused: style\n" in printed
    assert checked("--strict")[2].startswith("1 flag of the source that nothing uses.")
    assert not checked("--strict", "tests/test_it.py")[2]


def test_check_finds_flags_that_are_asked_for_what_they_do_not_answer(shop: Path) -> None:
    (shop / "orders" / "views.py").write_text(
        "from resident.flags import flag_enabled, flag_required, flag_variant\n"
        "flag_enabled('style')\n"
        "flag_variant('style')\n"
        "flag_variant('new_checkout')\n"
        "flag_required('style', value='loud')\n"
        "flag_enabled('basket', namespace='shop')\n"
    )
    (shop / "orders" / "templates" / "page.html").write_text(
        "{% load flags %}{% flag_variant 'everywhere' %}{% flag 'everywhere' %}{% endflag %}"
    )
    (shop / "templates" / "mail.txt").unlink()
    printed, _, problem = checked()
    assert printed.startswith(
        "mistaken: everywhere is a boolean flag\n"
        "  orders/templates/page.html:1: {% flag_variant %}\n"
        "mistaken: new_checkout is a boolean flag\n"
        "  orders/views.py:4: flag_variant\n"
        "mistaken: style is a variant flag\n"
        "  orders/views.py:2: flag_enabled\n"
        "Flags are named"
    )
    assert problem.startswith("3 flags asked for what they don't answer.")
    found = json.loads(checked("--json")[0])["mistaken"]
    assert {key: [it["line"] for it in uses] for key, uses in found.items()} == {
        "everywhere": [1],
        "new_checkout": [4],
        "style": [2],
    }


@pytest.mark.usefixtures("shop")
def test_check_of_one_namespace() -> None:
    assert checked("--namespace", "shop", "--strict")[::2] == (
        "Flags are named once here; the source has 1.\n",
        "",
    )
    printed, _, problem = checked("--namespace", "default")
    assert "basket" not in printed
    assert "missing: gone\n" in printed
    assert problem
    assert "'other' is not served" in checked("--namespace", "other")[2]


def test_check_of_built_in_tags(shop: Path) -> None:
    (shop / "orders" / "templates" / "page.html").write_text("{% flag 'built_in' %}{% endflag %}")
    (shop / "base" / "urls.py").unlink()
    templates = {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"builtins": ["resident.templatetags.flags"]},
    }
    with override_settings(TEMPLATES=[templates]):
        assert "missing: built_in\n" in checked()[0]


def test_check_of_a_project_without_packages(shop: Path) -> None:
    """Settings of `settings.configure()`, URLs of one module, another engine of templates."""
    (shop / "routes.py").write_text(
        "from resident.flags import flagged_path\nflagged_path('r', '', list)"
    )
    with override_settings(SETTINGS_MODULE=None, ROOT_URLCONF="routes", TEMPLATES=[]):
        printed = checked()[0]
    assert "missing: r\n  routes.py:2: flagged_path\n" in printed
    assert "everywhere" in printed.partition("unused")[2]


def test_check_of_a_file_that_may_not_be_read(shop: Path) -> None:
    for name in ("orders/views.py", "orders/templates/page.html"):
        (shop / name).unlink()
        (shop / name).symlink_to("/proc/self/mem")
    _, noted, _ = checked()
    assert "could not be looked at" in noted


def test_this_project_names_only_flags_that_it_has() -> None:
    with override_settings(RESIDENT_FLAGS={"FEATURES": "greeting/features.yml"}):
        assert checked("--strict") == (
            "Flags are named once here; the source has 1.\n",
            "",
            "",
        )


def test_snapshot_and_a_start_from_it(path: Path, tmp_path: Path) -> None:
    saved = tmp_path / "flags.json"
    assert run("snapshot", "--output", str(saved)) == (
        f"3 flags of the features file {path}, namespace 'default' saved in {saved}.\n"
        f"1 flag of the features file {path}, namespace 'shop' saved in {saved}.\n"
    )
    for namespace in ("default", "shop"):
        assert features.load(saved, namespace=namespace) == features.load(path, namespace=namespace)
    before = run("eval", "style", "--context", "plan=pro")
    with override_settings(RESIDENT_FLAGS={"FEATURES": saved, "NAMESPACES": ["shop"]}):
        worker.close()
        assert run("eval", "style", "--context", "plan=pro") == before
        assert str(saved) in run("list")


@pytest.mark.parametrize("version", ["1.39.2", "1.61.1", "2.11.0"])
def test_what_was_saved_of_a_server_serves_when_it_is_gone(version: str, tmp_path: Path) -> None:
    features = tmp_path / "of_server.yml"
    features.write_text(OF_SERVER)
    saved = tmp_path / "flags.json"
    context = ["--context", "plan=pro", "--entity", "7"]
    with FakeFlipt(version=version, token=BOOTSTRAP_TOKEN) as flipt:
        flipt.load(features)
        values = {"flipt_api_host": flipt.url, "flipt_api_token": BOOTSTRAP_TOKEN}
        with override_settings(RESIDENT_SECRETS={"OPTIONS": {"values": values}}, RESIDENT_FLAGS={}):
            assert f"1 flag of Flipt at {flipt.url}" in run("snapshot", "--output", str(saved))
            document = current()["default"].document
            shown, told = run("show", "style"), run("eval", "style", *context)
            worker.close()
    with override_settings(RESIDENT_FLAGS={"FEATURES": saved}):
        assert current()["default"].document == document
        assert current()["default"].origin == "features file"
        assert (run("show", "style"), run("eval", "style", *context)) == (shown, told)
    assert BOOTSTRAP_TOKEN not in saved.read_text()
    assert flipt.url not in saved.read_text()


def test_snapshot_of_one_namespace(tmp_path: Path) -> None:
    saved = tmp_path / "flags.json"
    run("snapshot", "--output", str(saved), "--namespace", "shop")
    assert list(json.loads(saved.read_text())) == ["resident_snapshot", "written", "documents"]
    assert [flag.key for flag in features.load(saved, namespace="shop").flags] == ["basket"]
