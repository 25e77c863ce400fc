"""Settings whose values are secrets, without a settings.py that talks to a network.

    SECRET_KEY = from_secrets("secret_key")
    DATABASES = {"default": {..., "USER": "shop", "PASSWORD": from_secrets("database_password")}}

The value is asked of the worker's secrets when it is used, each time: it follows a rotation.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from resident.secrets.value import MASK
from resident.worker import worker

__all__ = ["FromSecrets", "from_secrets", "keys_in"]


def from_secrets(key: str) -> Any:
    """A setting whose value is that of a key of the secrets, whenever it is used.

    It is taken for a str, and does what one does: `str()` and its methods give the value, so that
    Django can sign and connect with it. `repr` and f-strings don't show it.
    """
    return FromSecrets(key)


class FromSecrets:
    """A str that the worker's secrets have; lives as long as the settings.

    Written in C, a library that wants a str refuses it: give that `str(settings.…)`.
    """

    __slots__ = ("key",)

    def __init__(self, key: str) -> None:
        object.__setattr__(self, "key", key)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return str  # what isinstance() asks

    def __str__(self) -> str:
        # A key is read from the latest, whatever a request began with: what it opens must last.
        return worker.latest_secrets[self.key].reveal()

    def __repr__(self) -> str:
        return f"from_secrets({self.key!r})"

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __bool__(self) -> bool:
        return True  # asked by Django of its own accord; it must not take a network to answer

    def __len__(self) -> int:
        return len(str(self))

    def __iter__(self) -> Iterator[str]:
        return iter(str(self))

    def __contains__(self, part: str) -> bool:
        return part in str(self)

    def __getitem__(self, place: Any) -> str:
        return str(self)[place]

    def __add__(self, other: str) -> str:
        return str(self) + other

    def __radd__(self, other: str) -> str:
        return other + str(self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, type(self)):
            return bool(self.key == other.key)
        return str(self) == other

    def __hash__(self) -> int:
        return hash(str(self))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(str(self), name)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a setting from the secrets does not change; make another")

    def __copy__(self) -> "FromSecrets":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "FromSecrets":
        return self

    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        return from_secrets, (self.key,)


def keys_in(value: object) -> Iterator[str]:
    """The keys that a setting takes from the secrets, however deep in dicts and lists."""
    if type(value) is FromSecrets:
        yield value.key
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from keys_in(each)
    elif isinstance(value, list | tuple | set):
        for each in value:
            yield from keys_in(each)
