"""`{% flag %}` and `{% flag_variant %}`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.template import Context, RequestContext, Template, TemplateSyntaxError
from django.template.base import Node

from resident.flags import BooleanFlag, VariantFlag, flag_enabled
from resident.testing import override_flag
from tests.flags.asked import Untouched, asked_by, served


@pytest.fixture(autouse=True)
def _served(tmp_path: Path) -> Iterator[None]:
    with served(tmp_path):
        yield


def shown(source: str, request: HttpRequest | None = None, **context: Any) -> str:
    template = Template("{% load flags %}" + source)
    whole = Context(context) if request is None else RequestContext(request, context)
    return template.render(whole)


class TestFlag:
    def test_on_and_off(self) -> None:
        assert shown('{% flag "launched" %}on{% endflag %}') == "on"
        assert shown('{% flag "withdrawn" %}on{% endflag %}') == ""
        assert shown('{% flag "launched" %}on{% else %}off{% endflag %}') == "on"
        assert shown('{% flag "withdrawn" %}on{% else %}off{% endflag %}') == "off"

    def test_the_key_may_be_a_variable(self) -> None:
        source = "{% flag key %}on{% else %}off{% endflag %}"
        assert shown(source, key="launched") == "on"
        assert shown(source, key=BooleanFlag("declared_for_templates", default=True)) == "on"
        assert shown(source) == "off"
        assert shown("{% flag key|lower %}on{% endflag %}", key="LAUNCHED") == "on"

    def test_the_users_request(self) -> None:
        source = '{% flag "staff_only" %}on{% else %}off{% endflag %}'
        staff = asked_by(User(pk=1, is_staff=True))
        assert shown(source, staff) == "on"
        assert shown(source, asked_by(User(pk=2))) == "off"
        template = Template("{% load flags %}" + source)
        assert template.render(Context({"request": staff})) == "on"
        assert template.render(Context({"request": "a variable of that name"})) == "off"
        assert shown(source) == "off"

    def test_the_user_is_not_looked_up_for_nothing(self) -> None:
        user = Untouched()
        assert shown('{% flag "launched" %}on{% endflag %}', asked_by(user)) == "on"
        assert "is_staff" not in user.looked_at

    def test_default(self) -> None:
        assert shown('{% flag "unknown_one" default=True %}on{% else %}off{% endflag %}') == "on"
        assert (
            shown('{% flag "unknown_one" default=nothing %}on{% else %}off{% endflag %}') == "off"
        )

    def test_value(self) -> None:
        source = '{% flag "style" value="loud" default="loud" %}loud{% else %}not{% endflag %}'
        assert shown(source) == "loud"
        assert shown(source.replace('default="loud"', "")) == "not"
        with override_flag("style", "plain"):
            assert shown(source) == "not"
        assert shown('{% flag "launched" value=False %}off{% else %}on{% endflag %}') == "on"
        assert shown('{% flag "withdrawn" value=False %}off{% else %}on{% endflag %}') == "off"

    def test_entity_and_context(self) -> None:
        source = '{% flag "half" entity=it %}True{% else %}False{% endflag %}'
        for number in range(10):
            expected = str(flag_enabled("half", entity_id=str(number)))
            assert shown(source, it=number) == expected
            assert shown(source, it=str(number)) == expected
            assert shown(source, it=User(pk=number)) == expected
        nobody = str(flag_enabled("half"))
        assert shown(source) == nobody
        assert shown(
            '{% flag "style" value="loud" context=it %}loud{% endflag %}', it={"seats": 20}
        )

    def test_namespace(self) -> None:
        with override_flag("somewhere", True, namespace="elsewhere"):
            assert shown('{% flag "somewhere" namespace="elsewhere" %}on{% endflag %}') == "on"
            assert shown('{% flag "somewhere" %}on{% endflag %}') == ""

    def test_within_another_and_within_blocks(self) -> None:
        source = (
            '{% flag "launched" %}a{% flag "withdrawn" %}b{% else %}c{% endflag %}'
            "{% if True %}d{% else %}e{% endif %}{% else %}f{% endflag %}"
        )
        assert shown(source) == "acd"
        template = Template("{% load flags %}" + source)
        assert len(template.nodelist.get_nodes_by_type(Node)) > 5

    def test_it_escapes_as_all_templates_do(self) -> None:
        source = '{% flag "launched" %}{{ it }}{% endflag %}'
        assert shown(source, it="<b>") == "&lt;b&gt;"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{% flag %}on{% endflag %}", "flag takes the key of a flag first"),
        ("{% flag default=True %}on{% endflag %}", "flag takes the key of a flag first"),
        ('{% flag "launched" loud %}on{% endflag %}', "flag does not know 'loud'; .* value=…"),
        ('{% flag "launched" vlaue="x" %}on{% endflag %}', "flag does not know 'vlaue'"),
        ('{% flag "launched" default=True "x" %}on{% endflag %}', "flag does not know '\"x\"'"),
        ('{% flag "launched" %}on', "Unclosed tag on line 1: 'flag'"),
        ('{% flag "launched" %}a{% else %}b{% else %}c{% endflag %}', "expected 'endflag'"),
        ('{% flag "launched" %}a{% elif "x" %}b{% endflag %}', "expected 'else' or 'endflag'"),
        ("{% flag_variant %}", "did not receive value.*'key'"),
        ('{% flag_variant "style" loud="x" %}', "unexpected keyword argument 'loud'"),
    ],
)
def test_what_is_no_flag_is_an_error(source: str, problem: str) -> None:
    with pytest.raises(TemplateSyntaxError, match=problem):
        shown(source)


class TestFlagVariant:
    def test_as_a_variable(self, tmp_path: Path) -> None:
        source = '{% flag_variant "style" as style %}{{ style }}{{ style.attachment.mark }}'
        assert shown(source) == ""
        with served(tmp_path, CONTEXT=f"{__name__}.properties"):
            assert shown(source, asked_by(User(pk=1))) == "loud!"

    def test_as_text(self) -> None:
        assert shown('{% flag_variant "style" %}') == ""
        assert shown('{% flag_variant "style" default="plain" %}') == "plain"
        with override_flag("style", "<b>"):
            assert shown('{% flag_variant "style" %}') == "&lt;b&gt;"

    def test_somebody_else(self) -> None:
        source = '{% flag_variant "shades" entity=it %}'
        assert {shown(source, it=number) for number in range(20)} == {"light", "dark"}
        assert shown(source, it=User(pk=3)) == shown(source, it=3)

    def test_one_that_is_declared(self) -> None:
        declared = VariantFlag("declared_style", default="plain", namespace="elsewhere")
        assert shown("{% flag_variant it %}", it=declared) == "plain"
        with override_flag(declared, "loud"):
            assert shown("{% flag_variant it %}", it=declared) == "loud"


def properties(request: HttpRequest) -> dict[str, str]:
    """Those of everybody."""
    return {"plan": "pro"}
