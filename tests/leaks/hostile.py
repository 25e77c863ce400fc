"""Objects that mind being looked at, in every place that a look leads to; pages that leak them.

Whoever asks one of them anything is noted in `ASKED`, and gets an exception that no `except
Exception` holds. Only while a page is served, or the module is imported, do they answer: somebody
has to put them into sets and dicts.
"""

import contextlib
import functools
import gc
import importlib.util
import logging
import threading
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from types import ModuleType, SimpleNamespace
from typing import Any

from django.contrib.auth.models import Group
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.functional import SimpleLazyObject, cached_property, lazy

ASKED: list[str] = []
LAZY_MODULE = "colorsys"
"""One of the standard library's that nobody needs."""

serving = threading.Event()
serving.set()


class Asked(BaseException):
    """Somebody has asked a hostile object something."""


HOOKS = (
    "__eq__", "__ne__", "__lt__", "__hash__", "__repr__", "__str__", "__format__", "__len__",
    "__bool__", "__iter__", "__next__", "__contains__", "__getitem__", "__setitem__",
    "__getattr__", "__getattribute__", "__setattr__", "__dir__", "__sizeof__", "__reduce_ex__",
    "__reduce__", "__getstate__", "__copy__", "__deepcopy__", "__enter__", "__call__", "__int__",
    "__index__", "__length_hint__", "__reversed__", "__missing__", "__instancecheck__",
    "__subclasscheck__", "__get__", "__set_name__", "__fspath__", "__bytes__",
    "__await__", "keys", "values", "items", "get", "pop", "copy", "append", "extend",
)  # fmt: skip
ANSWERS: dict[str, Callable[..., Any]] = {
    "__hash__": object.__hash__,
    "__eq__": lambda self, other: self is other,
    "__getattribute__": object.__getattribute__,
    "__setattr__": object.__setattr__,
}
"""What they answer to while a page is served."""


def note(what: str) -> None:
    """Remember that this was asked, and refuse."""
    ASKED.append(what)
    raise Asked(what)


def hook(kind: str, name: str) -> Callable[..., Any]:
    """A method that minds being called."""

    def asked(self: Any, *args: Any, **kwargs: Any) -> Any:
        if serving.is_set() and name in ANSWERS:
            return ANSWERS[name](self, *args, **kwargs)
        note(f"{kind}.{name}")
        raise AssertionError

    return asked


def refusing(kind: str, *bases: type) -> type:
    """A class with these bases, whose instances refuse everything."""
    refused = {name: hook(kind, name) for name in HOOKS if name not in FOR_CLASSES}
    if bases and issubclass(bases[0], str | bytes | int):
        refused.pop("__getattribute__")  # Python's own constructor asks
    properties = {it: property(hook(kind, it)) for it in ("__class__", "__doc__", "name", "pk")}
    return type(kind, bases, refused | properties)


FOR_CLASSES = ("__instancecheck__", "__subclasscheck__", "__set_name__")

META_HOOKS = (
    "__getattribute__", "__getattr__", "__eq__", "__hash__", "__repr__", "__len__", "__bool__",
    "__iter__", "__contains__", "__instancecheck__", "__subclasscheck__", "__dir__", "__sizeof__",
    "__or__",
)  # fmt: skip


def meta_hook(name: str) -> Callable[..., Any]:
    def asked(cls: Any, *args: Any) -> Any:
        if serving.is_set() and hasattr(type, name):
            return getattr(type, name)(cls, *args)
        note(f"metaclass.{name}")
        raise AssertionError

    return asked


Meta = type("Meta", (type,), {name: meta_hook(name) for name in META_HOOKS})
WithMeta = Meta("WithMeta", (), {"kept": ["something"]})
WithMeta.__module__ = __name__


class WithDict:
    """Its `__dict__` is a property."""

    __slots__ = ("inside",)

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        note("WithDict.__dict__")


class WithProperties:
    """What it works out is its own affair."""

    @property
    def price(self) -> int:
        note("a property")
        return 7

    @cached_property
    def dear(self) -> int:
        note("a cached property")
        return 7

    @functools.cached_property
    def dearer(self) -> int:
        note("a cached property")
        return 7


class Descriptor:
    """Minds being fetched from the class that has it."""

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        note("a descriptor")

    def __set__(self, instance: object, value: object) -> None:
        note("a descriptor")


class WithDescriptor:
    field = Descriptor()


def evaluate(*args: Any) -> Any:
    note("something lazy")


def lazy_object() -> Any:
    return SimpleLazyObject(evaluate)


def lazy_text() -> Any:
    return lazy(evaluate, str)("text")


def queryset() -> Any:
    return Group.objects.all()


def deferred() -> Any:
    """An instance whose fields are fetched when somebody asks for them."""
    group = Group(pk=7)
    del vars(group)["name"]
    group._state.db = "default"
    return group


class Module(ModuleType):
    """Minds being asked for what is not there."""

    def __getattr__(self, name: str) -> Any:
        note(f"a module's {name}")


def lazy_module() -> ModuleType:
    """One that is loaded when somebody asks for anything in it."""
    spec = importlib.util.find_spec(LAZY_MODULE)
    assert spec is not None
    assert spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def with_cycle() -> Any:
    """A list that contains itself."""
    cycle: list[Any] = []
    cycle.append(cycle)
    return SimpleNamespace(cycle=cycle)


def deep() -> Any:
    """Lists in lists, more of them than Python has room for calls."""
    whole: list[Any] = []
    for _ in range(5000):
        whole = [whole]
    return whole


class WithEnd:
    """Does a lot when it goes. The young only: there are thousands of these, and much is old."""

    def __del__(self, collect: Callable[[int], int] = gc.collect) -> None:
        self.end = [collect(1)]


def generator() -> Iterator[str]:
    """One that has not begun."""
    note("a generator")
    yield ""


Plain = refusing("Plain")
KINDS: dict[str, Callable[[], Any]] = {
    "plain": Plain,
    "dict": refusing("Dict", dict),
    "list": refusing("List", list),
    "tuple": refusing("Tuple", tuple),
    "set": refusing("Set", set),
    "frozenset": refusing("Frozenset", frozenset),
    "deque": refusing("Deque", deque),
    "ordered-dict": refusing("Ordered", OrderedDict),
    "defaultdict": refusing("Default", defaultdict),
    "str": refusing("Str", str),
    "bytes": refusing("Bytes", bytes),
    "int": refusing("Int", int),
    "exception": refusing("Failure", Exception),
    "metaclass": WithMeta,
    "class": lambda: WithMeta,
    "dict-property": WithDict,
    "properties": WithProperties,
    "descriptor": WithDescriptor,
    "lazy-object": lazy_object,
    "lazy-text": lazy_text,
    "queryset": queryset,
    "deferred": deferred,
    "module": lambda: Module("hostile"),
    "lazy-module": lazy_module,
    "cycle": with_cycle,
    "deep": deep,
    "generator": generator,
    "end": WithEnd,
}
HASHABLE = {
    name: make
    for name, make in KINDS.items()
    if name not in ("queryset", "lazy-object", "lazy-text", "deep", "cycle")
}


def each() -> list[Any]:
    """One of each kind, but for what is large."""
    return [make() for kind, make in KINDS.items() if kind != "deep"]


# They are there, in every place, and stay.


class Holder:
    """Has one of each, on the class and on the instance."""

    of_class = each()
    plain = Plain()

    def __init__(self) -> None:
        self.each = each()
        self.by_kind = {kind: make() for kind, make in KINDS.items()}


def has_default(kinds: Any = Plain(), *, more: Any = each()) -> None:
    """Has them in its defaults."""


def closing_over() -> Callable[[], object]:
    kinds = each()
    return lambda: kinds


@functools.cache
def cached(number: int) -> Any:
    return each()


alone = Plain()
alone_with_meta = WithMeta()
holder = Holder()
closure = closing_over()
bottomless = deep()
has_default.kinds = each()  # type: ignore[attr-defined]
keys = {make(): name for name, make in HASHABLE.items()}
members = {make() for make in HASHABLE.values()}
cached(7)
signal = Signal()
log = logging.getLogger("hostile")
log.propagate = False
variable: ContextVar[Any] = ContextVar("variable")
local = threading.local()

# They leak.

LAST: Any = None
LEAKED: list[Any] = []
BY_NAME: dict[str, Any] = {}
BY_OBJECT: dict[Any, str] = {}
MEMBERS: set[Any] = set()


class Shelf:
    kept: list[Any] = []


shelf = SimpleNamespace(own=Shelf(), found=[])


def add(item: Any, items: list[Any] = []) -> None:
    items.append(item)


def keeper() -> Callable[[Any], None]:
    kept: list[Any] = []
    return lambda item: kept.append(item)  # noqa: PLW0108 - a closure


keep = keeper()


@functools.cache
def remembered(item: Any) -> Any:
    return item


def in_list(token: str) -> None:
    LEAKED.extend(each())


def in_values(token: str) -> None:
    BY_NAME.update({f"{token}{place}": it for place, it in enumerate(each())})


def in_keys(token: str) -> None:
    BY_OBJECT[Plain()] = token
    BY_OBJECT[WithMeta()] = token


def in_set(token: str) -> None:
    MEMBERS.update((Plain(), WithMeta()))


def on_class(token: str) -> None:
    Shelf.kept.extend(each())


def on_instance(token: str) -> None:
    shelf.found.extend(each())


def in_default(token: str) -> None:
    for it in each():
        add(it)


def in_closure(token: str) -> None:
    for it in each():
        keep(it)


def in_cache(token: str) -> None:
    remembered(Plain())
    remembered(WithMeta())


def in_signal(token: str) -> None:
    signal.receivers.append(((token, None), Plain(), None, False))


def in_log(token: str) -> None:
    log.handlers.append(Plain())


def in_variable(token: str) -> None:
    variable.set([token, *each()])


def in_local(token: str) -> None:
    local.kept = [token, *each()]


PLACES = {
    "list": in_list,
    "values": in_values,
    "keys": in_keys,
    "set": in_set,
    "class": on_class,
    "instance": on_instance,
    "default": in_default,
    "closure": in_closure,
    "lru-cache": in_cache,
    "signal": in_signal,
    "log": in_log,
    "variable": in_variable,
    "local": in_local,
}


@contextlib.contextmanager
def answering() -> Iterator[None]:
    """The objects are asked by those who may."""
    serving.set()
    try:
        yield
    finally:
        serving.clear()


def stay(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def leak(request: HttpRequest, place: str) -> HttpResponse:
    with answering():
        PLACES[place](request.headers["X-Request-ID"])
    return HttpResponse()


def leak_last(request: HttpRequest, kind: str) -> HttpResponse:
    global LAST
    with answering():
        LAST = [request.headers["X-Request-ID"], KINDS[kind]()]
    return HttpResponse()


urlpatterns = [
    path("stay", stay),
    path("leak/<place>", leak),
    path("last/<kind>", leak_last),
]
