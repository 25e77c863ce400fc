"""What a flag has to answer, so that somebody gets to see a view, a URL, or a part of a page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypedDict

from django.http import HttpRequest

from resident.exceptions import ConfigurationError
from resident.flags.evaluation import aflag_enabled, aflag_variant, flag_enabled, flag_variant

__all__ = ["Condition"]


class _Asked(TypedDict):
    entity_id: str | None
    context: Mapping[str, Any] | None
    namespace: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """A flag, and the answer that it has to give; lives as long as what depends on it.

    Args:
        key: the flag.
        value: True or False for a boolean flag, the key of a variant for one with variants.
        default: what the flag answers where it can't be told; None for what its declaration says,
            or else off, or no variant.
        namespace: whose flag; None for that of its declaration, or else of the settings.

    Raises:
        ConfigurationError: one of them can't be what it is given as.
    """

    key: str
    value: bool | str = True
    default: bool | str | None = None
    namespace: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.key, str) or not self.key:
            self._refuse(f"{self.key!r} is not the key of a flag", "name the flag.")
        if not isinstance(self.value, bool | str) or self.value == "":
            self._refuse(f"value is {self.value!r}", "give True, False, or the key of a variant.")
        if not isinstance(self.default, (bool if self._is_boolean else str) | None):
            remedy = "give True or False." if self._is_boolean else "give the key of a variant."
            self._refuse(f"default is {self.default!r}, and value {self.value!r}", remedy)

    def is_met(
        self,
        request: HttpRequest | None,
        entity_id: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> bool:
        """Whether the flag gives that answer to this request."""
        asked = self._asked(entity_id, context)
        if self._is_boolean:
            return flag_enabled(self.key, request, default=self._off, **asked) is self.value
        return flag_variant(self.key, request, default=self._variant, **asked) == self.value

    async def ais_met(
        self,
        request: HttpRequest | None,
        entity_id: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> bool:
        """The same, asked in an event loop."""
        asked = self._asked(entity_id, context)
        if self._is_boolean:
            return await aflag_enabled(self.key, request, default=self._off, **asked) is self.value
        return await aflag_variant(self.key, request, default=self._variant, **asked) == self.value

    @property
    def _is_boolean(self) -> bool:
        return isinstance(self.value, bool)

    @property
    def _off(self) -> bool:
        return bool(getattr(self.key, "default", False) if self.default is None else self.default)

    @property
    def _variant(self) -> str | None:
        default = getattr(self.key, "default", None) if self.default is None else self.default
        return default if isinstance(default, str) else None

    def _asked(self, entity_id: str | None, context: Mapping[str, Any] | None) -> _Asked:
        return {"entity_id": entity_id, "context": context, "namespace": self.namespace}

    def _refuse(self, problem: str, remedy: str) -> NoReturn:
        raise ConfigurationError(
            f"A view, URL or template requires a flag, and {problem}.", remedy=remedy
        )
