"""What was read from one place at one time."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from resident.exceptions import SecretsError
from resident.secrets.value import Secret

MOST, LONGEST = 20, 60
"""How many keys an error lists, and how many characters of each."""


class MissingKeyError(SecretsError, KeyError):
    """A secret does not have the key that was asked for."""


@dataclass(frozen=True, eq=False)
class Secrets(Mapping[str, Secret]):
    """The masked values of one secret, as they were read: immutable, replaced as a whole.

    Attributes:
        source: where they are from, in words: "Vault at https://vault:8200".
        path: mount and path there, "" where there is none.
        version: of KV v2, counted from 1; None where the source has no versions.
        parts: what these were merged from, each with its own version; none for what is one.
    """

    values_by_key: Mapping[str, Secret] = field(repr=False)
    source: str
    path: str = ""
    version: int | None = None
    parts: tuple["Secrets", ...] = field(default=(), repr=False)

    def __getitem__(self, key: str) -> Secret:
        try:
            return self.values_by_key[key]
        except KeyError:
            pass
        raise MissingKeyError(
            f"{self.place} has no key {key!r}.",
            kind="missing key",
            remedy=f"add the key there; it has {_listed(self)}.",
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_key)

    def __len__(self) -> int:
        return len(self.values_by_key)

    @property
    def place(self) -> str:
        """Source, path and version, for people: what an error about these secrets names."""
        if self.parts:
            return " and ".join(part.place for part in self.parts)
        path = f", secret {self.path!r}" if self.path else ""
        version = f" version {self.version}" if self.version is not None else ""
        return f"{self.source}{path}{version}"

    def require(self, keys: Iterable[str]) -> None:
        """Raise `MissingKeyError` unless all the keys are there."""
        for key in keys:
            self[key]


def merged(parts: Sequence[tuple[str, Secrets]]) -> Secrets:
    """Several secrets as one; a single one without a prefix stays as it is.

    Args:
        parts: each with the prefix that its keys get.

    Raises:
        SecretsError: a key comes from two of them.
    """
    if len(parts) == 1 and not parts[0][0]:
        return parts[0][1]
    origins: dict[str, Secrets] = {}
    values: dict[str, Secret] = {}
    for prefix, part in parts:
        for key, value in part.items():
            earlier = origins.setdefault(f"{prefix}{key}", part)
            if earlier is not part:
                raise _contested(f"{prefix}{key}", earlier, part)
            values[f"{prefix}{key}"] = value
    secrets = tuple(part for _, part in parts)
    sources = dict.fromkeys(part.source for part in secrets)
    paths = ", ".join(part.path for part in secrets)
    return Secrets(values, ", ".join(sources), paths, parts=secrets)


def _contested(key: str, one: Secrets, other: Secrets) -> SecretsError:
    return SecretsError(
        f"The key {key!r} is in {one.place} and in {other.place}.",
        remedy="rename one of them, or give one path a prefix: "
        f"path={{'': {one.path!r}, 'other_': {other.path!r}}}.",
    )


def shortened(key: str) -> str:
    """The key, for people, however long it is."""
    return repr(key if len(key) <= LONGEST else f"{key[:LONGEST]}…")


def _listed(keys: Collection[str]) -> str:
    first = sorted(keys)[:MOST]
    more = f" and {len(keys) - MOST} more" if len(keys) > MOST else ""
    return (", ".join(map(shortened, first)) or "none") + more
