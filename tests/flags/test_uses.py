"""Where code and templates name flags."""

from pathlib import Path

import pytest

from resident.flags.uses import TEMPLATE_TAGS, files_below, uses_in_code, uses_in_template

CODE = """\
import django
import resident.flags
import resident.flags as of_resident
from django.views.generic import TemplateView
from resident import flags as also
from resident.flags import (
    BooleanFlag, FlagRequiredMixin, VariantFlag, aflag_enabled, aflag_variant, flag_enabled as on,
    flag_required, flag_variant, flagged_path, flags,
)
from resident.testing import override_flag
from resident.worker import worker
from . import flag_enabled
from .resident.flags import flag_enabled as relative

CONSTANT = "constant"
TYPED: str = "typed"
new = BooleanFlag("declared", description="x")
style = VariantFlag(key="by_keyword", namespace="shop")

urls = [flagged_path("route", "checkout/", None)]


@flag_required("decorator", redirect_to="/")
@override_flag("overridden", True)
def view(request):
    on("alias", request)
    flag_variant("variant", request, default="x")
    resident.flags.flag_enabled("dotted")
    of_resident.flag_enabled("dotted_alias")
    also.flag_enabled("module")
    on(CONSTANT, request, namespace=TYPED)
    on(request.GET["key"])
    on(new)
    flags(request, namespace="shop")["subscript"]
    flags(request)[CONSTANT]
    also.flags(request)[request.path]
    flag_enabled("of_another_library")
    relative("of_a_relative_module")
    other.flag_enabled("of_another_module")
    worker.flag_enabled("of_nothing")
    CACHE["flag_enabled"]
    view()["text"]
    on()


async def asynchronous(request):
    await aflag_enabled("asynchronous")
    await aflag_variant("asynchronous_variant")


class Checkout(FlagRequiredMixin, TemplateView):
    template_name = "checkout.html"
    a.b = 1
    flag_key = "mixin"
    flag_namespace = "shop"


class Typed(Checkout):
    undecided: str
    flag_key: str = "typed_mixin"


def test_it(client, override_flag):
    override_flag("fixture", True)
"""


def test_every_form_in_code(tmp_path: Path) -> None:
    path = tmp_path / "views.py"
    path.write_text(CODE)
    uses = uses_in_code(path)
    assert [(use.by, use.key, use.namespace) for use in uses] == [
        ("BooleanFlag", "declared", None),
        ("VariantFlag", "by_keyword", "shop"),
        ("flagged_path", "route", None),
        ("flag_required", "decorator", None),
        ("override_flag", "overridden", None),
        ("flag_enabled", "alias", None),
        ("flag_variant", "variant", None),
        ("flag_enabled", "dotted", None),
        ("flag_enabled", "dotted_alias", None),
        ("flag_enabled", "module", None),
        ("flag_enabled", "constant", "typed"),
        ("flag_enabled", None, None),
        ("flag_enabled", None, None),
        ("flags", "subscript", "shop"),
        ("flags", "constant", None),
        ("flags", None, None),
        ("flag_enabled", None, None),
        ("aflag_enabled", "asynchronous", None),
        ("aflag_variant", "asynchronous_variant", None),
        ("Checkout", "mixin", "shop"),
        ("Typed", "typed_mixin", None),
        ("override_flag", "fixture", None),
    ]
    lines = CODE.splitlines()
    for use in uses:
        assert use.path == path
        assert use.key is None or use.key == "constant" or use.key in lines[use.line - 1]
    assert str(uses[0]) == f"{path}:17"


def test_a_fixture_is_one_only_where_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "test_it.py"
    path.write_text("def test_it(client):\n    override_flag('x', True)\n")
    assert not uses_in_code(path)


def test_code_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "views.py"
    path.write_text("def")
    with pytest.raises(SyntaxError):
        uses_in_code(path)


def test_code_that_python_warns_of(tmp_path: Path) -> None:
    path = tmp_path / "views.py"
    path.write_text("from resident.flags import flag_enabled\nflag_enabled('new')\n'\\d'")
    assert [use.key for use in uses_in_code(path)] == ["new"]


TEMPLATE = """\
{% load i18n flags %}
{% flag "double" %}on{% else %}off{% endflag %}
<p>{% flag 'single' value="compact" namespace="shop" %}{{ "flag" }}{% endflag %}
{% flag_variant "style" as style %}
{% flag variable %}{% endflag %} {% flag %} {% other "x" %} {%  %}
{# {% flag "commented" %} #}
{% comment %}{% flag "in a block" %}{% endflag %}{% endcomment %}
{% verbatim %}{% flag "verbatim" %}{% endverbatim %}
"""


def test_every_form_in_templates(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(TEMPLATE)
    assert [(use.line, use.by, use.key, use.namespace) for use in uses_in_template(path)] == [
        (2, "{% flag %}", "double", None),
        (3, "{% flag %}", "single", "shop"),
        (4, "{% flag_variant %}", "style", None),
        (5, "{% flag %}", None, None),
    ]


@pytest.mark.parametrize(
    ("load", "found"),
    [
        ("{% load flags %}", 2),
        ("{% load flag from flags %}", 1),
        ("{% load flag_variant flag from flags %}", 2),
        ("{% load flag from waffle_tags %}", 0),
        ("{% load waffle_tags %}", 0),
        ("{% load %}", 0),
        ("", 0),
    ],
)
def test_the_tags_are_ours_only_where_they_are_loaded(
    tmp_path: Path, load: str, found: int
) -> None:
    path = tmp_path / "page.html"
    path.write_text(load + "{% flag 'new' %}{% endflag %}{% flag_variant 'style' %}")
    assert len(uses_in_template(path)) == found
    assert len(uses_in_template(path, TEMPLATE_TAGS)) == 2


def test_a_template_without_tags(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("{{ flag }}")
    assert uses_in_template(path, TEMPLATE_TAGS) == []


def test_files_that_are_hidden_or_installed_are_passed_over(tmp_path: Path) -> None:
    for name in (
        "a.py",
        "shop/b.py",
        "shop/.hidden.py",
        ".git/c.py",
        "node_modules/d/e.html",
        "env/pyvenv.cfg",
        "env/f.py",
        "lib/site-packages/g.py",
        "shop/__pycache__/b.pyc",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = [path.relative_to(tmp_path).as_posix() for path in files_below(tmp_path)]
    assert found == ["a.py", "shop/b.py"]
    assert not list(files_below(tmp_path / "nowhere"))
