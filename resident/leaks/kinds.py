"""What there is to know of a class, so that its instances are looked at quickly and rightly."""

import re
import types
import weakref
from collections.abc import Collection
from enum import Enum, auto
from typing import Any

from resident.definitions import lineage, module_of, qualified_name
from resident.leaks.anatomy import LRU_CACHE, Anatomy
from resident.leaks.scope import Scope, is_of_python

__all__ = ["Kind", "Kinds", "Owner", "Role"]

LEAVES = (
    types.ModuleType, types.CodeType, types.BuiltinFunctionType, types.GetSetDescriptorType,
    types.MemberDescriptorType, types.WrapperDescriptorType, types.MethodDescriptorType,
    types.MethodWrapperType, types.ClassMethodDescriptorType, weakref.ref, float, complex, bool,
    type(None), type(Ellipsis), type(NotImplemented), range, re.Pattern,
)  # fmt: skip

NOT_ENTERED = frozenset({
    "logging.Logger",
    "logging.Manager",
    "threading.Thread",
    "django.apps.config.AppConfig",
    "django.apps.registry.Apps",
    "django.conf.LazySettings",
    "django.core.handlers.base.BaseHandler",
    "django.db.backends.base.base.BaseDatabaseWrapper",
    "django.dispatch.dispatcher.Signal",
    "django.utils.connection.BaseConnectionHandler",
    "django.utils.connection.ConnectionProxy",
})  # fmt: skip
"""Classes whose instances lead to everything, and have roots of their own where that is needed."""


class Role(Enum):
    """What an instance is to a look."""

    PASSED_BY = auto()
    TEXT = auto()
    NUMBER = auto()
    CLASS = auto()
    FUNCTION = auto()
    CACHE = auto()
    WHOLE = auto()
    """It has parts, of whatever kind."""


class Owner(Enum):
    """Whose an instance is."""

    COVERED = auto()
    """What is looked at."""
    FRAMEWORK = auto()
    OTHERS = auto()
    """A package that is not looked at."""
    HOLDER = auto()
    """Whoever holds it, as it is with a list and whatever else Python brings."""


class Kind:
    """One class; lives as long as its `Kinds`.

    Attributes:
        role: what an instance is to a look.
        owner: whose it is.
        anatomy: how it is read.
        is_of_request: whether it should end with its request: it is one, a user, a row of a table.
    """

    __slots__ = ("_cls", "anatomy", "is_of_request", "owner", "role")

    def __init__(self, cls: type, scope: Scope, kept: Collection[str]) -> None:
        self._cls = cls  # kept, so that its id is not given to another
        names = {qualified_name(base) for base in lineage(cls)}
        self.owner = _owner(module_of(cls), scope)
        self.is_of_request = not names.isdisjoint(kept)
        self.role = _role(cls, names, scope, is_covered=self.owner is Owner.COVERED)
        self.anatomy = Anatomy(cls)

    @property
    def tells(self) -> bool:
        """Whether an instance that a request leaves is told by itself: not each is, as much is
        worked out anew each time.
        """
        return self.owner is Owner.COVERED or self.is_of_request


class Kinds(dict[int, Kind]):
    """What is known of classes, by their id: a metaclass may have made them unhashable.

    Args:
        scope: what is looked at.
        kept: names of classes whose instances end with their request.
    """

    def __init__(self, scope: Scope, kept: Collection[str]) -> None:
        super().__init__()
        self.scope = scope
        self._kept = kept

    def of(self, cls: type) -> Kind:
        known = self.get(id(cls))
        if known is None:
            known = self[id(cls)] = Kind(cls, self.scope, self._kept)
        return known


_ROLES: tuple[tuple[Any, Role], ...] = (
    ((str, bytes), Role.TEXT),
    (LEAVES, Role.PASSED_BY),
    (int, Role.NUMBER),
    (type, Role.CLASS),
    (types.FunctionType, Role.FUNCTION),
    (LRU_CACHE, Role.CACHE),
)


def _role(cls: type, names: Collection[str], scope: Scope, *, is_covered: bool) -> Role:
    if scope.is_of_tests(module_of(cls)):
        return Role.PASSED_BY
    found = next((role for bases, role in _ROLES if issubclass(cls, bases)), Role.WHOLE)
    if found is Role.PASSED_BY and is_covered:
        return Role.WHOLE
    if found is Role.WHOLE and not is_covered and not NOT_ENTERED.isdisjoint(names):
        return Role.PASSED_BY
    return found


def _owner(module: str, scope: Scope) -> Owner:
    if scope.covers(module):
        return Owner.COVERED
    if is_of_python(module):
        return Owner.HOLDER
    return Owner.FRAMEWORK if scope.may_hold(module) else Owner.OTHERS
