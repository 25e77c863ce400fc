"""Where a project names flags: in its code, and in its templates. Nothing of it is run for that."""

import ast
import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.template.base import BLOCK_TAG_START, Lexer, TokenType

from resident.definitions import INSTALLED

__all__ = ["TEMPLATE_TAGS", "Use", "files_below", "uses_in_code", "uses_in_template"]

CALLS = {
    "flag_enabled",
    "flag_variant",
    "aflag_enabled",
    "aflag_variant",
    "flag_required",
    "flagged_path",
    "override_flag",
    "BooleanFlag",
    "VariantFlag",
}
"""What takes the key of a flag as its first argument, or as `key`."""

ATTRIBUTES = ("flag_key", "flag_namespace")
"""What names a flag in a class-based view."""

IS_BOOLEAN = {
    **dict.fromkeys(["flag_enabled", "aflag_enabled", "BooleanFlag"], True),
    **dict.fromkeys(["flag_variant", "aflag_variant", "VariantFlag"], False),
    "{% flag_variant %}": False,
}
"""Whether what is called takes a boolean flag, or one with variants; the others take both."""

NOT_OURS = {*INSTALLED, "node_modules", "__pycache__"}

LIBRARY = "flags"
TEMPLATE_TAGS = {"flag", "flag_variant"}
"""The tags of that library that take the key of a flag as their first argument."""


@dataclass(frozen=True, slots=True)
class Use:
    """One place that names a flag.

    Attributes:
        path: the file.
        line: from 1 on.
        by: what is called there, or the tag.
        key: the flag's; None where it is not written there, as it comes from a variable.
        namespace: the flag's; None for the default one.
    """

    path: Path
    line: int
    by: str
    key: str | None
    namespace: str | None = None

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"

    def fits(self, *, is_boolean: bool) -> bool:
        """Whether a flag of this type can be asked so; else it always gives its default."""
        return IS_BOOLEAN.get(self.by, is_boolean) == is_boolean


def files_below(folder: Path) -> Iterator[Path]:
    """The files in a folder: none that is hidden, or installed there."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(it for it in folders if not _is_passed_over(Path(place, it)))
        yield from (Path(place, it) for it in sorted(files) if not it.startswith("."))


def uses_in_code(path: Path) -> list[Use]:
    """The flags that a module of Python's names.

    Raises:
        OSError, ValueError, SyntaxError: it can't be read, or is none.
    """
    with warnings.catch_warnings():  # what is wrong with a string there is said when it runs
        warnings.simplefilter("ignore")
        tree = ast.parse(path.read_bytes(), path)
    return sorted(_Module(path, tree).uses(), key=lambda use: use.line)


def uses_in_template(path: Path, builtins: Iterable[str] = ()) -> list[Use]:
    """The flags that a template of Django's names, if it loads the tags or they are built in.

    Raises:
        OSError, ValueError: it can't be read.
    """
    text = path.read_text(encoding="utf-8")
    if BLOCK_TAG_START not in text:
        return []
    tags: set[str] = set(builtins)
    uses = []
    for line, name, arguments in _tags(text):
        if name == "load":
            tags |= _loaded(arguments)
        elif name in tags and arguments:
            namespace = next((it for it in arguments if it.startswith("namespace=")), "")
            key, within = _unquoted(arguments[0]), _unquoted(namespace.removeprefix("namespace="))
            uses.append(Use(path, line, f"{{% {name} %}}", key, within))
    return uses


class _Module:
    """A module's syntax, with what its names mean; lives as long as it is looked through."""

    def __init__(self, path: Path, tree: ast.Module) -> None:
        self._path = path
        self._tree = tree
        self._ours: dict[str, str] = {}
        self._modules: set[str] = set()
        self._constants = dict(_assigned(tree))
        for node in ast.walk(tree):
            self._learn(node)

    def uses(self) -> Iterator[Use]:
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call) and (name := self._meant(node.func)) in CALLS:
                yield self._use(node, name, _argument(node, "key"), _keyword(node, "namespace"))
            elif isinstance(node, ast.ClassDef):
                yield from self._attributes(node)
            elif isinstance(node, ast.Subscript) and (call := self._call_of_flags(node)):
                yield self._use(node, "flags", node.slice, _keyword(call, "namespace"))

    def _learn(self, node: ast.AST) -> None:
        """What names mean that are imported here, or are fixtures of pytest's."""
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                self._learn_import(f"{node.module}.{alias.name}", alias.asname or alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                self._learn_import(alias.name, alias.asname or alias.name)
        elif isinstance(node, ast.arg) and node.arg == "override_flag":
            self._ours[node.arg] = node.arg

    def _learn_import(self, meant: str, name: str) -> None:
        module, _, thing = meant.rpartition(".")
        if meant in {"resident.flags", "resident.testing"}:
            self._modules.add(name)
        elif module.startswith(("resident.flags", "resident.testing")):
            self._ours[name] = thing

    def _meant(self, node: ast.expr) -> str:
        """What of ours an expression names; "" where it names nothing of ours."""
        if isinstance(node, ast.Name):
            return self._ours.get(node.id, "")
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in self._modules:
            return node.attr
        return ""

    def _attributes(self, node: ast.ClassDef) -> Iterator[Use]:
        found = {name: value for name, value in _assigned(node) if name in ATTRIBUTES}
        key, namespace = (found.get(name) for name in ATTRIBUTES)
        if key is not None:
            yield self._use(key, node.name, key, namespace)

    def _call_of_flags(self, node: ast.Subscript) -> ast.Call | None:
        """The call in `flags(request)["key"]`."""
        call = node.value
        return call if isinstance(call, ast.Call) and self._meant(call.func) == "flags" else None

    def _use(
        self, node: ast.stmt | ast.expr, by: str, key: ast.expr | None, namespace: ast.expr | None
    ) -> Use:
        return Use(self._path, node.lineno, by, self._text(key), self._text(namespace))

    def _text(self, node: ast.expr | None) -> str | None:
        if isinstance(node, ast.Name):
            node = self._constants.get(node.id)
        value = node.value if isinstance(node, ast.Constant) else None
        return value if isinstance(value, str) else None


def _assigned(node: ast.ClassDef | ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """The names that are given a value in the body of a class or a module."""
    for each in node.body:
        if isinstance(each, ast.Assign | ast.AnnAssign) and each.value is not None:
            targets = each.targets if isinstance(each, ast.Assign) else [each.target]
            yield from ((it.id, each.value) for it in targets if isinstance(it, ast.Name))


def _argument(call: ast.Call, name: str) -> ast.expr | None:
    return call.args[0] if call.args else _keyword(call, name)


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((it.value for it in call.keywords if it.arg == name), None)


def _tags(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """The tags of a template that are not commented out: line, name, arguments."""
    is_comment = False
    for token in Lexer(text).tokenize():
        if token.token_type is TokenType.BLOCK:
            name, *arguments = token.split_contents() or [""]
            is_comment = name == "comment" or (is_comment and name != "endcomment")
            if not is_comment:
                yield token.lineno or 0, name, arguments


def _loaded(arguments: list[str]) -> set[str]:
    if "from" in arguments:
        *names, _, library = arguments
        return set(names) & TEMPLATE_TAGS if library == LIBRARY else set()
    return TEMPLATE_TAGS if LIBRARY in arguments else set()


def _unquoted(text: str) -> str | None:
    is_literal = len(text) > 1 and text[0] in "\"'" and text[0] == text[-1]
    return text[1:-1] if is_literal else None


def _is_passed_over(folder: Path) -> bool:
    is_environment = (folder / "pyvenv.cfg").is_file()
    return is_environment or folder.name.startswith(".") or folder.name in NOT_OURS
