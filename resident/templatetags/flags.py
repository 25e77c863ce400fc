"""`{% flag %}` and `{% flag_variant %}`: flags in templates."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.template import Context, Library, Node, NodeList, TemplateSyntaxError
from django.template.base import FilterExpression, Parser, Token, token_kwargs
from django.utils.safestring import SafeString

from resident.flags.evaluation import flag_enabled, flag_variant

__all__ = ["register"]

register = Library()

OPTIONS = ("value", "default", "entity", "context", "namespace")


@register.tag("flag")
def flag(parser: Parser, token: Token) -> "FlagNode":
    """Show a part of the template only while a flag says so, and what follows `else` otherwise.

    {% flag "new_checkout" %}…{% else %}…{% endflag %}
    {% flag "checkout_style" value="compact" default="plain" entity=team.id %}…{% endflag %}
    """
    _, *words = token.split_contents()
    if not words or _is_option(words[0]):
        raise TemplateSyntaxError('flag takes the key of a flag first: {% flag "new_checkout" %}.')
    key, options = parser.compile_filter(words[0]), _options(words[1:], parser)
    shown = parser.parse(("else", "endflag"))
    otherwise = NodeList()
    if parser.next_token().contents == "else":
        otherwise = parser.parse(("endflag",))
        parser.delete_first_token()
    return FlagNode(key, options, shown, otherwise)


@register.simple_tag(name="flag_variant", takes_context=True)
def variant(
    context: Context,
    key: str,
    default: str | None = None,
    entity: Any = None,
    namespace: str | None = None,
) -> str:
    """The key of the variant that a flag gives, with its `.attachment`; "" for none.

    {% flag_variant "checkout_style" as style %}{{ style }} {{ style.attachment.columns }}
    """
    answer = flag_variant(
        key,
        _request(context),
        default=default or getattr(key, "default", None),
        entity_id=_id(entity),
        namespace=namespace,
    )
    return answer or ""


class FlagNode(Node):
    """A part of a template that depends on a flag; lives as long as the template."""

    child_nodelists = ("nodelist", "nodelist_otherwise")

    def __init__(
        self,
        key: FilterExpression,
        options: Mapping[str, FilterExpression],
        nodelist: NodeList,
        nodelist_otherwise: NodeList,
    ) -> None:
        self.key = key
        self.options = options
        self.nodelist = nodelist
        self.nodelist_otherwise = nodelist_otherwise

    def render(self, context: Context) -> SafeString:
        return (self.nodelist if self._is_met(context) else self.nodelist_otherwise).render(context)

    def _is_met(self, context: Context) -> bool:
        key = self.key.resolve(context)
        options = {name: it.resolve(context) for name, it in self.options.items()}
        value = options.get("value", True)
        default = options.get("default", getattr(key, "default", None))
        asked: Any = {
            "entity_id": _id(options.get("entity")),
            "context": options.get("context"),
            "namespace": options.get("namespace"),
        }
        request = _request(context)
        if isinstance(value, bool):
            return flag_enabled(key, request, default=bool(default), **asked) is value
        return flag_variant(key, request, default=default or None, **asked) == str(value)


def _is_option(word: str) -> bool:
    return word.partition("=")[0] in OPTIONS


def _options(words: list[str], parser: Parser) -> dict[str, FilterExpression]:
    options: dict[str, FilterExpression] = token_kwargs(words, parser)
    unknown = [*words, *(name for name in options if name not in OPTIONS)]
    if unknown:
        raise TemplateSyntaxError(
            f"flag does not know {unknown[0]!r}; after the key it takes "
            f"{', '.join(f'{name}=…' for name in OPTIONS)}."
        )
    return options


def _request(context: Context) -> HttpRequest | None:
    request = context.get("request")
    return request if isinstance(request, HttpRequest) else None


def _id(entity: Any) -> str | None:
    """What percentages go by: an object's primary key, or the value itself."""
    key = getattr(entity, "pk", entity)
    return None if key is None or key == "" else str(key)
