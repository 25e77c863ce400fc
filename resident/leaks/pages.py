"""The pages of a project that can be asked for without an argument."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from django.urls import Resolver404, URLPattern, URLResolver, get_resolver, resolve
from django.urls.resolvers import RegexPattern
from django.utils.regex_helper import normalize

__all__ = ["urls_of_project"]

VARIES = re.compile(r"\\[dDsSwW]|(?<!\\)[\[*+|]")
"""What in a regular expression stands for more than one text."""

Patterns = Iterable[URLPattern | URLResolver]


def urls_of_project(exclude: Iterable[str] = ()) -> list[str]:
    """Their paths, each once, in the order of the URLconf.

    Args:
        exclude: regular expressions; a path in which one of them is found is left out.
    """
    unwanted = [re.compile(pattern) for pattern in exclude]
    found = {
        path: None
        for path, view in _pages(get_resolver().url_patterns, "/")
        if not any(pattern.search(path) for pattern in unwanted) and _leads_to(path, view)
    }
    return list(found)


def _pages(patterns: Patterns, prefix: str) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        if (part := _literal(pattern)) is None:
            continue
        if isinstance(pattern, URLResolver):
            yield from _pages(pattern.url_patterns, prefix + part)
        else:
            yield prefix + part, pattern.callback


def _literal(pattern: URLPattern | URLResolver) -> str | None:
    """What it matches, where that is a text without arguments."""
    part = pattern.pattern
    if part.converters:
        return None
    return _only(part.regex.pattern) if isinstance(part, RegexPattern) else str(part)


def _only(expression: str) -> str | None:
    """The text that a regular expression matches; None where there are several, or groups."""
    if VARIES.search(expression):
        return None
    texts = [text for text, arguments in normalize(expression) if not arguments]
    return str(texts[0]).replace("%%", "%") if texts else None


def _leads_to(path: str, view: Any) -> bool:
    """Whether no other pattern takes the path away."""
    try:
        return bool(resolve(path).func is view)
    except Resolver404:
        return False
