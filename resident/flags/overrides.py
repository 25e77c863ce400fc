"""What a test says that flags answer, whatever their source has."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from resident.flags.engine import Variant

__all__ = ["Override", "Overrides", "overrides"]

T = TypeVar("T")
Answer = bool | Variant | None


@dataclass(frozen=True, slots=True, eq=False)
class Override:
    """One answer that is to hold; it equals only itself, as the same may be wanted twice.

    Attributes:
        key: the flag's.
        value: on or off, a variant, or None for no variant.
        namespace: where it holds; None for every namespace.
    """

    key: str
    value: Answer
    namespace: str | None = None

    @property
    def place(self) -> str:
        """Where `Overrides.values` has it. No key and no namespace has a slash in it."""
        return self.key if self.namespace is None else f"{self.namespace}/{self.key}"


class Overrides:
    """The answers that hold at present; lives as long as the process.

    They are the process's, and not a thread's or a task's: the threads of a live server are to
    give the answers that the test asks for.

    Attributes:
        values: the answers by key, or by "namespace/key"; empty where no test runs. It is another
            mapping after each change, so whoever has begun to read it reads one state.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: tuple[Override, ...] = ()
        self.values: Mapping[str, Answer] = MappingProxyType({})

    def of(self, key: str, namespace: str, otherwise: T) -> Answer | T:
        """The answer that was set for a flag of this namespace; `otherwise` where none was."""
        values = self.values
        return values.get(f"{namespace}/{key}", values.get(key, otherwise))

    def hold(self, override: Override) -> None:
        """Let it hold from now on, before those that are older."""
        with self._lock:
            self._publish((*self._held, override))

    def drop(self, override: Override) -> None:
        """Let it hold no more; an older one of the same flag holds again, if one is left."""
        with self._lock:
            self._publish(tuple(it for it in self._held if it is not override))

    def _publish(self, held: tuple[Override, ...]) -> None:
        self._held = held
        self.values = MappingProxyType(_values(held))


def _values(held: Iterable[Override]) -> dict[str, Answer]:
    values: dict[str, Answer] = {}
    for override in held:
        if override.namespace is None:  # it also covers what older ones say of one namespace
            covered = f"/{override.key}"
            values = {place: it for place, it in values.items() if not place.endswith(covered)}
        values[override.place] = override.value
    return values


overrides = Overrides()
"""Those of this process. Whoever evaluates asks `if overrides.values` first."""
