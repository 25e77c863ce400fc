"""`override_flag`: what a flag answers while a test runs."""

import functools
import inspect
import json
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import aclosing
from types import TracebackType
from typing import Any, TypeVar, cast

from resident.exceptions import FlagsError
from resident.flags.engine import Variant
from resident.flags.overrides import Override, overrides

__all__ = ["override_flag"]

T = TypeVar("T", bound=Callable[..., Any])


class override_flag:  # noqa: N801 - as Django's override_settings
    """While it holds, a flag gives one answer: to everybody, and in every thread of this process.

        with override_flag("new_checkout", True): ...

        @override_flag("checkout_style", "compact", attachment={"columns": 2})
        def test_compact_checkout(client): ...

    It decorates functions, sync and async, generators, and classes of tests. No Flipt is asked,
    no features file is read, and the flag need not exist there. Where several hold for one flag,
    the one that began last wins; when it ends, the others hold again. One that is made may be
    used again, also while it holds.

    Args:
        key: the flag.
        value: True or False, the key of a variant, or None for no variant.
        attachment: what is attached to the variant; anything that JSON has.
        namespace: where the flag is; None for any.

    Raises:
        FlagsError: it can't be an answer of this flag.
    """

    def __init__(
        self,
        key: str,
        value: bool | str | None,
        *,
        attachment: Any = None,
        namespace: str | None = None,
    ) -> None:
        if not isinstance(key, str) or not key:
            raise FlagsError(f"{key!r} is not the key of a flag.", remedy="name the flag.")
        _check_type(key, value)
        _check_declared(key, value)
        self._key = str(key)
        self._value = _answer(key, value, attachment)
        self._namespace = namespace or getattr(key, "namespace", None)
        self._held: list[Override] = []

    def __repr__(self) -> str:
        return f"override_flag({self._key!r}, {self._value!r})"

    def __enter__(self) -> None:
        override = Override(self._key, self._value, self._namespace)
        overrides.hold(override)
        self._held.append(override)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        overrides.drop(self._held.pop())

    def __call__(self, target: T) -> T:
        """Decorate a test, or all tests of a class."""
        if isinstance(target, type):
            _decorate_class(self, target)
            return target
        if not callable(target) or type(target).__module__.startswith("_pytest."):
            raise FlagsError(
                f"{self!r} can't decorate {target!r}.",
                remedy="decorate a function or a class; with a fixture, write it below "
                "@pytest.fixture.",
            )
        return cast("T", functools.wraps(target)(_decorated(self, target)))


def _check_type(key: str, value: object) -> None:
    if not isinstance(value, bool | str | None) or value == "":
        raise FlagsError(
            f"The flag {key!r} can't answer {value!r}.",
            remedy="give True or False, the key of a variant, or None for no variant.",
        )


def _check_declared(key: str, value: object) -> None:
    """A flag that is declared says itself what it may answer."""
    fits = getattr(key, "fits", None)
    if fits is not None and not fits(value):
        raise FlagsError(
            f"The flag {key!r} can't answer {value!r}.",
            remedy=f"give one of its answers: {key.answers}.",  # type: ignore[attr-defined]
        )


def _answer(key: str, value: bool | str | None, attachment: object) -> bool | Variant | None:
    if value is None or isinstance(value, bool):
        if attachment is not None:
            raise FlagsError(
                f"The flag {key!r} can't answer {value!r} with an attachment.",
                remedy="give the key of a variant with it.",
            )
        return value
    if attachment is None:
        return value if isinstance(value, Variant) else Variant(value)
    try:
        return Variant(value, json.dumps(attachment, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise FlagsError(
            f"The attachment of {value!r}, for the flag {key!r}, is not JSON: {error}.",
            remedy="give what JSON has: dicts, lists, strings, numbers, True, False.",
        ) from None


def _decorated(override: override_flag, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function; a coroutine or a generator is under the override until it ends."""
    if inspect.iscoroutinefunction(function):

        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            with override:
                return await function(*args, **kwargs)

        return coroutine
    if inspect.isasyncgenfunction(function):

        async def asynchronous(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            with override:
                async with aclosing(function(*args, **kwargs)) as values:
                    async for value in values:
                        yield value

        return asynchronous
    if inspect.isgeneratorfunction(function):

        def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            with override:
                return (yield from function(*args, **kwargs))

        return generator

    def plain(*args: Any, **kwargs: Any) -> Any:
        with override:
            return function(*args, **kwargs)

    return plain


def _decorate_class(override: override_flag, target: type) -> None:
    """Let it hold from before the class is set up until it has been torn down.

    unittest and Django's runner call `setUpClass`, pytest `setup_class`, which also a mixin of
    test cases may have. Subclasses inherit them.
    """
    _decorate_unittest(override, target)
    if not hasattr(target, "enterClassContext"):
        _decorate_pytest(override, target)


def _decorate_unittest(override: override_flag, target: Any) -> None:
    own = target.__dict__.get("setUpClass")

    @classmethod  # type: ignore[misc]
    def set_up_class(cls: Any) -> None:
        # A class context is left also where setting up fails.
        cls.enterClassContext(override)
        if own is not None:
            own.__get__(None, cls)()
        else:
            super(target, cls).setUpClass()

    target.setUpClass = set_up_class


def _decorate_pytest(override: override_flag, target: Any) -> None:
    set_up, tear_down = (target.__dict__.get(name) for name in ("setup_class", "teardown_class"))

    @classmethod  # type: ignore[misc]
    def setup_class(cls: Any) -> None:
        override.__enter__()
        try:
            _call(set_up or _inherited(target, cls, "setup_class"), cls)
        except BaseException:  # pytest tears down nothing that has not been set up
            override.__exit__(None, None, None)
            raise

    @classmethod  # type: ignore[misc]
    def teardown_class(cls: Any) -> None:
        try:
            _call(tear_down or _inherited(target, cls, "teardown_class"), cls)
        finally:
            override.__exit__(None, None, None)

    target.setup_class, target.teardown_class = setup_class, teardown_class


def _inherited(target: type, cls: type, name: str) -> Any:
    """What comes after the decorated class; pytest also calls it for classes within that one."""
    return getattr(super(target, cls if issubclass(cls, target) else target), name, None)


def _call(method: Any, cls: type) -> None:
    """Call one of a class's methods as pytest does: with the class, if it takes it."""
    if method is None:
        return
    bound = method.__get__(None, cls) if hasattr(method, "__get__") else method
    if inspect.signature(bound).parameters:
        bound(cls)
    else:
        bound()
