"""YAML as Flipt reads it, version 1.2: `on` is a word, 2024-01-01 is text, no key stands twice."""

import re
from typing import Any

import yaml

__all__ = ["documents"]


def documents(text: str) -> list[Any]:
    """The documents of a stream. Raises `yaml.YAMLError`; RecursionError where it is too deep."""
    return list(yaml.load_all(text, Loader=_Loader))


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as the base class has it

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        known = set()
        for key, _ in node.value:
            if (key.tag, str(key.value)) in known:
                problem = f"the key {key.value!r} stands twice"
                raise yaml.composer.ComposerError(None, None, problem, key.start_mark)
            known.add((key.tag, str(key.value)))
        return node


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9A-Fa-f_]+|0|[1-9][0-9_]*)", list("-+0123456789")),
    ("float", r"[-+]?(\.\d+|(0|[1-9]\d*)(\.\d*)?)([eE][-+]?\d+)?", list("-+.0123456789")),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", list("-+.")),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^({_pattern})$", re.ASCII), _first
    )
