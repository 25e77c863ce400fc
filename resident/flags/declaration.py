"""Flags that a project declares in code: their key, their type, and what they answer without one.

    # shop/flags.py
    new_checkout = BooleanFlag("new_checkout", description="The checkout of one page.")
    checkout_style = VariantFlag("checkout_style", default="plain", variants=("plain", "compact"))

A declared flag is its key, a string, wherever a key is expected; called, it is evaluated. There is
no registry: those in the modules `flags` of the installed apps are found by `declared`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any, NoReturn, Self, TypeAlias

from django.apps import apps
from django.http import HttpRequest
from django.utils.module_loading import module_has_submodule

from resident.exceptions import ConfigurationError
from resident.flags.engine import Variant
from resident.flags.evaluation import flag_enabled, flag_variant

__all__ = ["BooleanFlag", "Declaration", "VariantFlag", "declared"]

KEY = re.compile(r"[-_,A-Za-z0-9]+")


class _Declared(str):
    """The key of a flag, with what the code says about it; lives as long as its module."""

    __slots__ = ("_default", "_description", "_namespace")

    _default: Any
    _description: str
    _namespace: str | None

    do_not_call_in_templates = True

    def __new__(cls, key: str, default: Any, description: str, namespace: str | None) -> Self:
        if not isinstance(key, str) or not KEY.fullmatch(key):
            raise ConfigurationError(
                f"{key!r} is declared as a flag, and is no key of one.",
                remedy="use letters, digits, '-', '_' and ','.",
            )
        flag = super().__new__(cls, key)
        for name, value in zip(_Declared.__slots__, (default, description, namespace), strict=True):
            object.__setattr__(flag, name, value)
        return flag

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name!r} of a declared flag can't be set.")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{name!r} of a declared flag can't be deleted.")

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        return (str(self),), self._said()

    def __getstate__(self) -> None:
        """There is none beside the arguments."""

    def _said(self) -> dict[str, Any]:
        """The arguments beside the key."""
        return {
            name.removeprefix("_"): getattr(self, name)
            for cls in type(self).__mro__
            for name in getattr(cls, "__slots__", ())
        }

    @property
    def description(self) -> str:
        """What it is for."""
        return self._description

    @property
    def namespace(self) -> str | None:
        """The namespace that it is in; None for the one that the settings name."""
        return self._namespace

    def is_like(self, other: "Declaration") -> bool:
        """Whether both say the same about the flag."""
        return type(self) is type(other) and self._said() == other._said()  # noqa: SLF001 - its kin


class BooleanFlag(_Declared):
    """A flag that is on or off: `new_checkout(request)`.

    Args:
        key: the flag's, in Flipt.
        default: its answer where the source does not have it.
        description: what it is for.
        namespace: the namespace that it is in; None for the one that the settings name.

    Raises:
        ConfigurationError: one of them can't be what it is given as.
    """

    __slots__ = ()

    answers = "True, False"
    """What it may answer, for people."""

    def __new__(
        cls,
        key: str,
        default: bool = False,
        description: str = "",
        namespace: str | None = None,
    ) -> Self:
        if not isinstance(default, bool):
            _refuse_default(key, default, cls.answers)
        return super().__new__(cls, key, default, description, namespace)

    def __call__(
        self,
        request: HttpRequest | None = None,
        *,
        entity_id: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> bool:
        """Whether it is on; the arguments are those of `flag_enabled`."""
        return flag_enabled(
            str(self),
            request,
            default=self.default,
            entity_id=entity_id,
            context=context,
            namespace=self.namespace,
        )

    @property
    def default(self) -> bool:
        """Its answer where the source does not have it."""
        return bool(self._default)

    def fits(self, answer: object) -> bool:
        """Whether it may answer that."""
        return isinstance(answer, bool)


class VariantFlag(_Declared):
    """A flag that gives one of several variants: `checkout_style(request)`.

    Args:
        key: the flag's, in Flipt.
        default: the key of the variant that it gives where the source does not have it, or it
            gives none; None for none.
        variants: the keys of all that it may give; none for any.
        description: what it is for.
        namespace: the namespace that it is in; None for the one that the settings name.

    Raises:
        ConfigurationError: one of them can't be what it is given as.
    """

    __slots__ = ("_variants",)

    _variants: tuple[str, ...]

    def __new__(
        cls,
        key: str,
        default: str | None = None,
        variants: Iterable[str] = (),
        description: str = "",
        namespace: str | None = None,
    ) -> Self:
        several = _variants(key, variants)
        flag = super().__new__(cls, key, default, description, namespace)
        object.__setattr__(flag, "_variants", several)
        if not flag.fits(default):
            _refuse_default(key, default, flag.answers)
        return flag

    def __call__(
        self,
        request: HttpRequest | None = None,
        *,
        entity_id: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> Variant | None:
        """The variant that it gives; the arguments are those of `flag_variant`."""
        return flag_variant(
            str(self),
            request,
            default=self.default,
            entity_id=entity_id,
            context=context,
            namespace=self.namespace,
        )

    @property
    def default(self) -> str | None:
        """The key of the variant that it gives where the source has none for it."""
        return self._default and str(self._default)

    @property
    def variants(self) -> tuple[str, ...]:
        """The keys of all that it may give; empty for any."""
        return self._variants

    @property
    def answers(self) -> str:
        """What it may answer, for people."""
        variants = ", ".join(map(repr, self.variants)) or "the key of a variant"
        return f"{variants}, None"

    def fits(self, answer: object) -> bool:
        """Whether it may answer that."""
        if not isinstance(answer, str):
            return answer is None
        return bool(answer) and (not self.variants or answer in self.variants)


Declaration: TypeAlias = BooleanFlag | VariantFlag


def declared() -> Iterator[tuple[str, Declaration]]:
    """The flags that the modules `flags` of the installed apps hold, each with its place.

    A flag that several names or modules hold comes as often.
    """
    for app in apps.get_app_configs():
        if module_has_submodule(app.module, "flags"):
            module = import_module(f"{app.name}.flags")
            for name, value in vars(module).items():
                if isinstance(value, BooleanFlag | VariantFlag):
                    yield f"{module.__name__}.{name}", value


def _variants(key: str, variants: Iterable[str]) -> tuple[str, ...]:
    several = (variants,) if isinstance(variants, str) else tuple(variants)
    if isinstance(variants, str) or not all(isinstance(it, str) and it for it in several):
        raise ConfigurationError(
            f"The flag {key!r} is declared with the variants {variants!r}, which are no keys.",
            remedy="give a tuple of strings.",
        )
    return several


def _refuse_default(key: str, default: object, answers: str) -> NoReturn:
    raise ConfigurationError(
        f"The flag {key!r} is declared with the default {default!r}, which it can't answer.",
        remedy=f"use one of {answers}.",
    )
