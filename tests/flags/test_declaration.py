"""Flags that are declared in code are their keys, and know their type and default."""

import asyncio
import copy
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from django.contrib.auth.models import User
from django.template import Context, Engine
from django.test import RequestFactory, override_settings
from django.test.utils import isolate_apps
from django.utils.functional import SimpleLazyObject

from resident.exceptions import ConfigurationError
from resident.flags import (
    BooleanFlag,
    VariantFlag,
    aflag_enabled,
    flag_enabled,
    flag_required,
    flag_variant,
)
from resident.flags.declaration import Declaration, declared
from resident.testing import override_flag

NEW = BooleanFlag("new", default=True, description="The new checkout.")
STYLE = VariantFlag("style", default="plain", variants=("plain", "loud"), description="How.")
ANY = VariantFlag("any")
FLAGS: list[Declaration] = [NEW, STYLE, BooleanFlag("of_shop", namespace="shop"), ANY]

FEATURES = """
flags:
  - {key: new, name: New, type: BOOLEAN_FLAG_TYPE, enabled: false}
  - {key: style, name: Style, enabled: true, variants: [{key: loud, default: true}, {key: plain}]}
"""

OF_SHOP = """
namespace: default
---
namespace: shop
flags:
  - key: of_shop
    name: Of the shop
    type: BOOLEAN_FLAG_TYPE
    rollouts: [{segment: {key: staff, value: true}}]
segments:
  - key: staff
    name: Staff
    match_type: ALL_MATCH_TYPE
    constraints: [{type: BOOLEAN_COMPARISON_TYPE, property: is_staff, operator: "true"}]
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[None]:
    path = tmp_path / "features.yml"
    path.write_text(FEATURES)
    with override_settings(RESIDENT_FLAGS={"FEATURES": path}):
        yield


def test_without_a_source_they_answer_their_defaults() -> None:
    with override_settings(RESIDENT_FLAGS={}):
        assert NEW() is True
        assert STYLE() == "plain"
        assert ANY() is None


@pytest.mark.usefixtures("served")
def test_called_they_are_evaluated() -> None:
    request = RequestFactory().get("/")
    assert NEW(request) is False
    assert STYLE(request, entity_id="7", context={"plan": "pro"}) == "loud"


@pytest.mark.usefixtures("served")
def test_they_are_keys_wherever_a_key_is_expected() -> None:
    request = RequestFactory().get("/")
    assert not flag_enabled(NEW, request, default=True)
    assert flag_variant(STYLE, request) == "loud"

    @flag_required(NEW)
    def view(request: object) -> str:
        return "seen"

    with override_flag(NEW, True):
        assert view(request) == "seen"
    engine = Engine(libraries={"flags": "resident.templatetags.flags"})
    template = engine.from_string("{% load flags %}{% flag new %}on{% else %}off{% endflag %}")
    assert template.render(Context({"new": NEW})) == "off"


def test_their_defaults_hold_wherever_they_are_keys() -> None:
    with override_settings(RESIDENT_FLAGS={}):
        assert flag_enabled(NEW)
        assert asyncio.run(aflag_enabled(NEW))
        assert flag_variant(STYLE) == "plain"
        assert flag_variant(STYLE, default="loud") == "loud"
        assert flag_required(NEW)(lambda _: "seen")(RequestFactory().get("/")) == "seen"


@pytest.mark.django_db(transaction=True)
def test_the_user_is_looked_up_for_a_declared_flag_of_another_namespace(tmp_path: Path) -> None:
    """In an event loop that is done in a thread, as it asks the database."""
    path = tmp_path / "features.yml"
    path.write_text(OF_SHOP)
    user = User.objects.create(username="ada", is_staff=True)

    async def ask() -> bool:
        request = RequestFactory().get("/")
        request.user = SimpleLazyObject(lambda: User.objects.get(pk=user.pk))  # type: ignore[assignment]
        return await aflag_enabled(BooleanFlag("of_shop", namespace="shop"), request)

    with override_settings(RESIDENT_FLAGS={"FEATURES": path, "NAMESPACES": ["shop"]}):
        assert asyncio.run(ask())


def test_they_know_what_was_declared() -> None:
    assert (NEW, NEW.default, NEW.description) == ("new", True, "The new checkout.")
    assert (STYLE, STYLE.default, STYLE.variants) == ("style", "plain", ("plain", "loud"))
    assert [flag.namespace for flag in FLAGS] == [None, None, "shop", None]
    assert [type(text) for text in (str(NEW), STYLE.default)] == [str, str]
    assert {"new": 1}[NEW] == 1


@pytest.mark.parametrize("flag", FLAGS, ids=str)
def test_they_can_not_be_changed(flag: Declaration) -> None:
    for name in ("default", "_default", "description", "anything"):
        with pytest.raises(AttributeError, match="can't be set"):
            setattr(flag, name, "other")
        with pytest.raises(AttributeError, match="can't be deleted"):
            delattr(flag, name)


@pytest.mark.parametrize("flag", FLAGS, ids=str)
def test_copies_say_the_same(flag: Declaration) -> None:
    for same in (copy.copy(flag), copy.deepcopy(flag), pickle.loads(pickle.dumps(flag))):  # noqa: S301
        assert same == flag
        assert same.is_like(flag)


def test_which_say_the_same() -> None:
    assert not NEW.is_like(BooleanFlag("new", default=True))
    assert not NEW.is_like(VariantFlag("new"))
    assert not STYLE.is_like(VariantFlag("style", "plain", ("plain",), "How."))


@pytest.mark.parametrize(
    ("flag", "fitting", "others"),
    [
        (NEW, [True, False], [None, "plain", 1, ""]),
        (STYLE, ["plain", "loud", None], [True, "other", ""]),
        (ANY, ["plain", None], [False, "", 1]),
    ],
    ids=str,
)
def test_what_they_may_answer(
    flag: Declaration, fitting: list[object], others: list[object]
) -> None:
    assert all(flag.fits(answer) for answer in fitting)
    assert not any(flag.fits(answer) for answer in others)


@pytest.mark.parametrize(
    ("declare", "said"),
    [
        (lambda: BooleanFlag("new checkout"), "'new checkout' is declared as a flag"),
        (lambda: BooleanFlag(""), "'' is declared as a flag, and is no key of one"),
        (lambda: VariantFlag(None), "None is declared as a flag"),  # type: ignore[arg-type]
        (lambda: BooleanFlag("new", default="yes"), "the default 'yes', which it can't answer"),  # type: ignore[arg-type]
        (lambda: BooleanFlag("new", default=None), "use one of True, False"),  # type: ignore[arg-type]
        (lambda: VariantFlag("style", default=True), "use one of the key of a variant, None"),  # type: ignore[arg-type]
        (
            lambda: VariantFlag("style", "odd", ("plain", "loud")),
            "use one of 'plain', 'loud', None",
        ),
        (lambda: VariantFlag("style", variants="plain"), "variants 'plain', which are no keys"),
        (lambda: VariantFlag("style", variants=(1,)), "the variants (1,), which are no keys"),  # type: ignore[arg-type]
        (lambda: VariantFlag("style", variants=("",)), "give a tuple of strings"),
    ],
)
def test_what_can_not_be_declared(declare: object, said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        declare()  # type: ignore[operator]
    assert said in str(raised.value)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Two apps: one that declares flags, and one that does not."""
    for name, module in (("declaring", DECLARING), ("undeclared", "")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").touch()
        if module:
            (folder / "flags.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    with isolate_apps(), override_settings(INSTALLED_APPS=["resident", "undeclared", "declaring"]):
        yield __import__("declaring")
    for name in set(sys.modules) - before:
        del sys.modules[name]


DECLARING = """
from resident.flags import BooleanFlag, VariantFlag, flag_enabled

new = BooleanFlag("new")
style = VariantFlag("style")
KEY = "a string is no flag"
"""


@pytest.mark.usefixtures("shop")
def test_those_of_the_installed_apps_are_found() -> None:
    found = dict(declared())
    assert list(found) == ["declaring.flags.new", "declaring.flags.style"]
    assert found["declaring.flags.new"].is_like(BooleanFlag("new"))
