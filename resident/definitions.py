"""Where a class, a function, a module says that it is defined, without running anybody's code.

A metaclass is not asked, a property not called, and a module that loads when it is touched stays
unloaded: everything is read through the slots of Python's own types.
"""

from functools import partial
from pathlib import PurePath
from types import FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

__all__ = [
    "function_of",
    "is_installed",
    "lineage",
    "module_of",
    "module_of_function",
    "name_of",
    "name_of_function",
    "namespace_of",
    "namespace_of_module",
    "qualified_name",
]

INSTALLED = {"site-packages", "dist-packages"}
"""The folders of what is installed; what is elsewhere is the project's."""


def lineage(cls: type) -> tuple[type, ...]:
    """The class and those that it inherits from."""
    mro: tuple[type, ...] = _MRO.__get__(cls)
    return mro


def namespace_of(cls: type) -> MappingProxyType[str, Any]:
    """What a class contains."""
    namespace: MappingProxyType[str, Any] = _NAMESPACE.__get__(cls)
    return namespace


def module_of(cls: type) -> str:
    """The module that a class says it is of; "" where it says none."""
    module = namespace_of(cls).get("__module__")
    return module if type(module) is str else ""


def name_of(cls: type) -> str:
    """The name of a class within its module."""
    return str(_QUALNAME.__get__(cls))


def qualified_name(cls: type) -> str:
    """Module and name of a class, as one would import it."""
    module = module_of(cls)
    return f"{module}.{name_of(cls)}" if module else name_of(cls)


def function_of(value: Any) -> FunctionType | None:
    """The function that is called by calling this, if it is one of Python's own ways to do so."""
    while type(value) is partial:  # isinstance would evaluate what is lazy
        value = value.func
    function: Any = value.__func__ if type(value) is MethodType else value
    return function if type(function) is FunctionType else None


def module_of_function(function: FunctionType) -> object:
    """The module in which a function is written, also where it bears the name of what it wraps."""
    return function.__globals__.get("__name__")


def name_of_function(function: FunctionType) -> str:
    """Module and name that a function bears."""
    return f"{function.__module__}.{function.__qualname__}"


def namespace_of_module(module: object) -> dict[str, Any]:
    """What a module contains; nothing for what is no module."""
    if not issubclass(type(module), ModuleType):
        return {}
    namespace: dict[str, Any] = _NAMESPACE_OF_MODULE.__get__(module)
    return namespace


def is_installed(module: object) -> bool:
    """Whether a module comes from an installed package, or from no file at all."""
    namespace = namespace_of_module(module)
    # A package without an `__init__` has no file, but folders.
    file = namespace.get("__file__") or next(iter(namespace.get("__path__", ())), None)
    return type(file) is not str or bool(INSTALLED & set(PurePath(file).parts))


_MRO: Any = vars(type)["__mro__"]
_NAMESPACE: Any = vars(type)["__dict__"]
_QUALNAME: Any = vars(type)["__qualname__"]
_NAMESPACE_OF_MODULE: Any = vars(ModuleType)["__dict__"]
