"""Where in the source something is defined: found by reading it, never by running it."""

import ast
import sys
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from types import CodeType, FunctionType
from typing import TypeGuard

from resident.definitions import lineage, module_of, name_of, namespace_of_module
from resident.leaks.leak import Line

__all__ = ["Sources"]

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Sources:
    """The modules' sources, each read and parsed at most once; lives as long as a hunt."""

    def __init__(self) -> None:
        self._by_file: dict[str, _Source | None] = {}

    def of_module(self, module: str) -> "_Source | None":
        """The source of a module; None where there is none that can be read."""
        file = namespace_of_module(sys.modules.get(module)).get("__file__")
        return self.of_file(file) if type(file) is str else None

    def of_file(self, file: str) -> "_Source | None":
        if file not in self._by_file:
            self._by_file[file] = _read(file)
        return self._by_file[file]

    def variable(self, module: str, name: str) -> Line | None:
        """Where a module binds one of its variables, rather than importing it."""
        source = self.of_module(module)
        return source.line_of(source.variable(name)) if source else None

    def home_of(self, value: object, module: str, name: str) -> tuple[str, str]:
        """The module and the name that a module's variable was defined with, by this or another."""
        if self.variable(module, name):
            return module, name
        return self.home_among(_variables_with(value, name)) or (module, name)

    def home_among(self, variables: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
        """The first of these that its module binds, rather than importing it."""
        return next((it for it in variables if self.variable(*it)), None)

    def attribute(self, owner: type, names: Sequence[str]) -> Line | None:
        """Where a class's attribute is bound: in its body, or by whoever sets it.

        Of the names on the way to what it holds it is the first that stands in the body, out of
        which metaclasses collect things, as Django's do with the fields of a form.
        """
        for name in names:
            for source, body in self._bodies(owner):
                if node := _variable_in(body, name):
                    return source.line_of(node)
        return self.own_attribute(owner, names[0]) or self.class_(owner)

    def own_attribute(self, owner: type, name: str) -> Line | None:
        """Where an attribute is set, by the class or one that it inherits from."""
        for source, body in self._bodies(owner):
            if node := _attribute_set_in(body, name):
                return source.line_of(node)
        return None

    def class_(self, owner: type) -> Line | None:
        """Where a class is defined."""
        source = self.of_module(module_of(owner))
        return source.line_of(source.definition(name_of(owner))) if source else None

    def function(self, function: object) -> Line | None:
        """Where a function is defined: the line of its `def`."""
        code = _code_of(function)
        if code is None:
            return None
        source = self.of_file(code.co_filename)
        node = source.function_at(code.co_firstlineno) if source else None
        return (
            source.line_of(node) if source and node else Line(code.co_filename, code.co_firstlineno)
        )

    def set_on(self, function: FunctionType, name: str) -> Line | None:
        """Where an attribute of a function is set, in the function's file."""
        source = self.of_file(function.__code__.co_filename)
        return source.line_of(source.attribute_of(function.__name__, name)) if source else None

    def closed_over(self, function: FunctionType, name: str) -> Line | None:
        """Where the function around this one binds the variable that it closes over."""
        source = self.of_file(function.__code__.co_filename)
        if source is None:
            return None
        return source.line_of(source.binding_around(function.__code__.co_firstlineno, name))

    def _bodies(self, owner: type) -> Iterator[tuple["_Source", ast.AST]]:
        """The definitions of a class and of those that it inherits from, where they can be read."""
        for cls in lineage(owner):
            source = self.of_module(module_of(cls))
            if source and (body := source.definition(name_of(cls))):
                yield source, body


class _Source:
    """One file, parsed."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self.tree = ast.parse(text)

    def line_of(self, node: ast.AST | None) -> Line | None:
        return Line(self.file, node.lineno) if node is not None else None  # type: ignore[attr-defined]

    def variable(self, name: str) -> ast.AST | None:
        """Where the module binds the name; else where one of its functions does, by `global`."""
        found = _variable_in(self.tree, name)
        if found is not None:
            return found
        for function in self._functions:
            if any(name in it.names for it in ast.walk(function) if isinstance(it, ast.Global)):
                return _variable_in(function, name)
        return None

    def attribute_of(self, owner: str, name: str) -> ast.AST | None:
        """Where this attribute of the variable with that name is set, at best by the module."""
        by_module = (node for it in _statements(self.tree) for node in _expressions(it))
        nodes = [it for it in (*by_module, *ast.walk(self.tree)) if _sets(it, name)]
        return next((it for it in nodes if _is_named(it.value, owner)), None)

    def definition(self, name: str) -> ast.AST | None:
        """The class or function with this qualified name."""
        node: ast.AST = self.tree
        for part in name.split("."):
            if part == "<locals>":
                continue
            found = [
                it for it in _statements(node) if isinstance(it, Definition) and it.name == part
            ]
            if not found:
                return None
            node = found[-1]
        return node

    def function_at(self, line: int) -> ast.AST | None:
        """The function whose code begins in this line, with its first decorator."""
        return next((it for it in self._functions if _first_line(it) == line), None)

    def binding_around(self, line: int, name: str) -> ast.AST | None:
        """Where the innermost function around this line binds the name."""
        around = [it for it in self._functions if _first_line(it) < line <= (it.end_lineno or 0)]
        for function in sorted(around, key=_first_line, reverse=True):
            if (found := _variable_in(function, name)) or _has_parameter(function, name):
                return found or function
        return None

    def has_literal(self, text: object) -> bool:
        """Whether the text stands in the source, so that it is no secret."""
        return type(text) is str and text in self._literals

    @cached_property
    def _functions(self) -> list[Function]:
        return [it for it in ast.walk(self.tree) if isinstance(it, Function)]

    @cached_property
    def _literals(self) -> set[str]:
        nodes = list(ast.walk(self.tree))
        named = {it.arg for it in nodes if isinstance(it, ast.keyword) and it.arg}
        constants = (it.value for it in nodes if isinstance(it, ast.Constant))
        return named | {value for value in constants if isinstance(value, str)}


def _read(file: str) -> _Source | None:
    try:
        with tokenize.open(file) as opened:
            return _Source(file, opened.read())
    except (OSError, SyntaxError, ValueError):
        return None


def _variables_with(value: object, name: str) -> Iterator[tuple[str, str]]:
    """Which modules' variables have this value; those of the same name come first."""
    others = []
    for module, found in list(sys.modules.items()):
        for variable, held in list(namespace_of_module(found).items()):
            if held is value and variable == name:
                yield module, variable
            elif held is value:
                others.append((module, variable))
    yield from others


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Those of this scope, in order, also below `if`, `try` and `with`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
            if not isinstance(child, Definition):
                yield from _statements(child)
        elif isinstance(child, ast.ExceptHandler | ast.match_case):
            yield from _statements(child)


def _variable_in(scope: ast.AST, name: str) -> ast.AST | None:
    """The first statement of a scope that binds the name, without importing it."""
    body = scope.body if isinstance(scope, ast.Lambda) else scope
    return next((it for it in _statements(body) if name in set(_bound_by(it))), None)


def _bound_by(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, Definition):
        yield statement.name
        return
    for node in _expressions(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """What a statement consists of, without the statements below it."""
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop()
        yield node
        todo += [it for it in ast.iter_child_nodes(node) if not isinstance(it, _BELOW)]


_BELOW = (ast.stmt, ast.ExceptHandler, ast.match_case, ast.Lambda)


def _attribute_set_in(scope: ast.AST, name: str) -> ast.AST | None:
    """The first assignment to an attribute with this name, of whatever."""
    found = [it for it in ast.walk(scope) if _sets(it, name)]
    return min(found, key=lambda node: node.lineno, default=None)


def _sets(node: ast.AST, name: str) -> TypeGuard[ast.Attribute]:
    return isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.ctx, ast.Store)


def _is_named(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _has_parameter(function: Function, name: str) -> bool:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    named += [it for it in (arguments.vararg, arguments.kwarg) if it]
    return any(it.arg == name for it in named)


def _first_line(function: Function) -> int:
    decorators: Iterable[ast.expr] = getattr(function, "decorator_list", ())
    return min([function.lineno, *(it.lineno for it in decorators)])


def _code_of(function: object) -> CodeType | None:
    return function.__code__ if type(function) is FunctionType else None
