"""What was read from one place at one time."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from resident.exceptions import SecretsError
from resident.secrets.value import Secret


class MissingKeyError(SecretsError, KeyError):
    """A secret does not have the key that was asked for."""


@dataclass(frozen=True, eq=False)
class Secrets(Mapping[str, Secret]):
    """The masked values of one secret, as they were read: immutable, replaced as a whole.

    Attributes:
        source: where they are from, in words: "Vault at https://vault:8200".
        path: mount and path there, "" where there is none.
        version: of KV v2, counted from 1; None where the source has no versions.
    """

    values_by_key: Mapping[str, Secret] = field(repr=False)
    source: str
    path: str = ""
    version: int | None = None

    def __getitem__(self, key: str) -> Secret:
        try:
            return self.values_by_key[key]
        except KeyError:
            pass
        raise MissingKeyError(
            f"{self.place} has no key {key!r}.",
            remedy=f"add the key there; it has {_listed(self)}.",
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_key)

    def __len__(self) -> int:
        return len(self.values_by_key)

    @property
    def place(self) -> str:
        """Source, path and version, for people: what an error about these secrets names."""
        path = f", secret {self.path!r}" if self.path else ""
        version = f" version {self.version}" if self.version is not None else ""
        return f"{self.source}{path}{version}"

    def require(self, keys: Iterable[str]) -> None:
        """Raise `MissingKeyError` unless all the keys are there."""
        for key in keys:
            self[key]


def _listed(keys: Iterable[str]) -> str:
    return ", ".join(repr(key) for key in sorted(keys)) or "none"
