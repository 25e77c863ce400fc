"""The names at which a look begins."""

import atexit
import gc
import logging
import os
import sys
import threading
import types
import warnings
import weakref
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from typing import Any

from resident.definitions import (
    function_of,
    lineage,
    module_of,
    module_of_function,
    name_of_function,
    namespace_of,
    namespace_of_module,
    qualified_name,
)
from resident.leaks.anatomy import Anatomy
from resident.leaks.look import Root
from resident.leaks.scope import Scope

__all__ = ["of_names", "of_process", "of_strays"]

DESCRIPTORS = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"  # noqa: PTH112
"""Where Linux, and where macOS, lists what a process has open."""

OF_EVERY_MODULE = ("__builtins__", "__loader__", "__spec__")
"""Variables that Python itself gives to a module, and that lead out of it."""

MOST_STRAYS = 1000
"""So many instances of one class at most: where there are more, they are data."""


def of_names(scope: Scope, of_framework: Iterable[Root]) -> Iterator[Root]:
    """Whatever is found by a name: of the modules, of the framework, of Python itself."""
    yield from of_modules(scope)
    yield from of_framework
    yield from of_process()


def of_modules(scope: Scope) -> Iterator[Root]:
    """What the modules define, and what they have imported."""
    for name, module in list(sys.modules.items()):
        if type(name) is str and scope.covers(name):
            for variable, value in list(namespace_of_module(module).items()):
                if type(variable) is str and variable not in OF_EVERY_MODULE:
                    yield Root("module global", f"{name}.{variable}", value)


def of_strays(scope: Scope, seen: Collection[int]) -> Iterator[Root]:
    """Instances and inner functions that no module leads to, such as a middleware's."""
    found: dict[int, list[Any]] = defaultdict(list)
    kinds: dict[int, type] = {}
    for value in gc.get_objects():
        kind = type(value)
        is_function = kind is types.FunctionType
        module = module_of_function(value) if is_function else module_of(kind)
        if scope.covers(module) and id(value) not in seen:
            kinds[id(kind)] = kind
            found[id(kind)].append(value)
    for number, values in found.items():
        if kinds[number] is types.FunctionType:
            yield from (_of_function(value) for value in values)
        elif len(values) <= MOST_STRAYS:
            name = qualified_name(kinds[number])
            yield from (Root("instance attribute", name, value) for value in values)


def of_process() -> Iterator[Root]:
    """What Python itself keeps for everybody: how is its own affair, how much is the project's."""
    yield from _of_logging()
    yield from _of_threads()
    yield from _of_descriptors()
    environ = {os.fsdecode(name): os.fsdecode(it) for name, it in _ENVIRON.copy().items()}
    yield Root("environment", "os.environ", environ, 1, lambda: tuple(_ENVIRON.items()))
    yield Root("module", "sys.modules", sys.modules, 0, lambda: len(sys.modules))
    exits = [None] * _count_exit_handlers()
    yield Root("exit handler", "atexit.register()", exits, 0, _count_exit_handlers)
    yield Root("finalizer", "weakref.finalize()", _FINALIZERS, 0, lambda: len(_FINALIZERS))
    yield Root("garbage collector callback", "gc.callbacks", gc.callbacks, 1)
    yield Root("process state", "warnings.filters", warnings.filters, 0)
    yield Root("process state", "sys.path", sys.path, 1)
    yield Root("process state", "sys.meta_path", sys.meta_path, 1)


_ENVIRON: dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined] # noqa: SLF001 - decoding is ours
_FINALIZERS: dict[Any, Any] = weakref.finalize._registry  # type: ignore[attr-defined] # noqa: SLF001 - the only way
_THREADS: dict[int, threading.Thread] = threading._active  # type: ignore[attr-defined] # noqa: SLF001 - asks no lock
_count_exit_handlers: Callable[[], int] = atexit._ncallbacks  # noqa: SLF001 - the only way to count them


def _of_function(function: types.FunctionType) -> Root:
    return Root("function", name_of_function(function), function)


def _of_logging() -> Iterator[Root]:
    registry = logging.root.manager.loggerDict
    yield Root("logger", "logging.root.manager.loggerDict", registry, 0, lambda: len(registry))
    for name, logger in [("", logging.root), *list(registry.items())]:
        if issubclass(type(logger), logging.Logger):
            place = f"logging.getLogger({name!r})" if name else "logging.root"
            attributes = dict(_named(logger))
            for kind in ("handler", "filter"):
                held = attributes.get(f"{kind}s")
                yield Root(f"logging {kind}", f"{place}.{kind}s", held, is_of_all=True)


def _of_threads() -> Iterator[Root]:
    by_target: dict[str, list[Any]] = defaultdict(list)
    for thread in list(_THREADS.values()):
        name, target = target_of(thread)
        by_target[name].append(target)
    for name, threads in by_target.items():
        yield Root("thread", name, threads, 0, lambda: len(_THREADS))


def target_of(thread: threading.Thread) -> tuple[str, Any]:
    """What a thread runs, and its dotted name."""
    attributes = dict(_named(thread))
    target, of_timer = attributes.get("_target"), attributes.get("function")
    if function := function_of(of_timer if target is None else target):
        return name_of_function(function), function
    runs = (namespace_of(base).get("run") for base in lineage(type(thread)))
    return f"{qualified_name(type(thread))}.run", next(it for it in runs if it is not None)


def _of_descriptors() -> Iterator[Root]:
    by_target: dict[tuple[str, str], list[str]] = defaultdict(list)
    for target in descriptors():
        folder, slash, _ = target.rpartition("/")
        kind = "open file" if slash else "socket" if target.startswith("socket:") else "pipe"
        by_target[kind, f"{folder}/…" if slash else kind].append(target)
    for (kind, name), targets in by_target.items():
        yield Root(kind, name, targets, 0, lambda: len(os.listdir(DESCRIPTORS)))  # noqa: PTH208


def descriptors() -> list[str]:
    """What the process has open: paths, and what else has a descriptor."""
    found = []
    for number in os.listdir(DESCRIPTORS):  # noqa: PTH208 - the cheapest
        with suppress(OSError):  # the one that lists them
            target = os.readlink(f"{DESCRIPTORS}/{number}")  # noqa: PTH115 - as above
            found.append(target.removesuffix(" (deleted)"))
    return found


def _named(instance: Any) -> Iterator[tuple[str, Any]]:
    for (way, name), value in Anatomy(type(instance)).parts(instance):
        if way == "attribute":
            yield name, value
