"""All flags of a namespace as they were at one time, ready to answer."""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, TypeVar

from resident.exceptions import FlagsError
from resident.flags.answer import Answer, answer
from resident.flags.document import Document, Flag
from resident.flags.engine import Engine, EngineError, Variant
from resident.flags.subject import Asked, Subject

__all__ = ["Answer", "Origin", "Snapshot"]

logger = logging.getLogger("resident.flags")

MEMO = 10_000
MOST_SAID = 1000  # keys may come from outside; what was said must not grow with them

T = TypeVar("T")
Origin = Literal["server", "last known", "features file", "defaults"]
Counts = dict[str, int]
Entry = tuple[bool | Variant | None, Counts]
Entries = dict[str, Entry]


class Snapshot:
    """All flags of one namespace as they were at one time; immutable.

    Lives until the last request that began on it has ended.

    Attributes:
        namespace: whose flags.
        document: all that the source said of them.
        flags: the flags by key.
        version: the server's name for this state of them, else a digest of the document.
        origin: what kind of source they are from.
        place: that source, for people: it names a host or a path.
        taken: when this worker took them up.
        as_of: when the source said so.
        changed: when this worker last saw a flag change; those that it did not are not in it.
        counts: what this worker answered, and how often: by flag, then by "on" and "off" or the
            variant's key, "no variant", and "default" where the flag could not be asked so. They
            go on from snapshot to snapshot.

    Args:
        document: as above, and so `version`, `origin`, `place` and `as_of`.
        before: the snapshot whose place it takes.
        memo: how many answers are remembered at most.

    Raises:
        FlagsError: the engine did not take the document.
    """

    __slots__ = (
        "_booleans",
        "_engine",
        "_evaluate",
        "_reasons",
        "_remembered",
        "_said",
        "_variants",
        "as_of",
        "changed",
        "counts",
        "document",
        "flags",
        "namespace",
        "origin",
        "place",
        "taken",
        "version",
    )

    def __init__(
        self,
        document: Document,
        *,
        origin: Origin,
        place: str,
        version: str = "",
        as_of: datetime | None = None,
        before: "Snapshot | None" = None,
        memo: int = MEMO,
    ) -> None:
        self._engine = Engine(document)
        self._evaluate: Callable[[str, Subject], bool | Variant | None] = self._engine.evaluate
        self._remembered = lru_cache(memo)(self._evaluate)
        self._reasons = lru_cache(memo)(self._engine.reason)
        self.namespace = document.namespace.key
        self.document = document
        self.flags: Mapping[str, Flag] = self._engine.flags
        self.version = version or document.digest
        self.origin = origin
        self.place = place
        self.taken = datetime.now(UTC)
        self.as_of = as_of or self.taken
        self.changed = self._changes(before)
        self.counts: Mapping[str, Counts] = {
            key: _counts(flag, before.counts.get(key) if before else None)
            for key, flag in self.flags.items()
        }
        self._said: set[str] = before._said if before else set()  # noqa: SLF001 - one of its own
        self._booleans, self._variants = self._folded(before)

    def __repr__(self) -> str:
        return f"<Snapshot {self.namespace!r}, version {self.version!r}, from the {self.origin}>"

    def boolean(self, key: str, asked: Asked, default: bool) -> bool:
        """Whether a boolean flag is on; the default where it can't be told."""
        entry = self._booleans.get(key)
        if entry is None:
            return self._unanswered(key, "is no boolean flag", default)
        value, counts = entry
        if value is None:
            subject = asked()
            try:
                value = (self._evaluate if subject.is_large else self._remembered)(key, subject)
            except EngineError as error:
                return self._unanswered(key, f"can't be evaluated: {error}", default)
        # No lock: between reading a number and writing the next, CPython runs no other thread,
        # as it changes threads where a function begins, a call ends or a loop turns back.
        counts["on" if value else "off"] += 1
        return value  # type: ignore[return-value] # a boolean flag's

    def variant(self, key: str, asked: Asked, default: Variant | None) -> Variant | None:
        """The variant of a flag; the default where no variant was given out, or can be told."""
        entry = self._variants.get(key)
        if entry is None:
            return self._unanswered(key, "is no flag with variants", default)
        value, counts = entry
        if value is True:
            subject = asked()
            try:
                value = (self._evaluate if subject.is_large else self._remembered)(key, subject)
            except EngineError as error:
                return self._unanswered(key, f"can't be evaluated: {error}", default)
        counts["no variant" if value is None else value] += 1  # type: ignore[index] # no boolean
        return default if value is None else value  # type: ignore[return-value] # as above

    def answer(self, key: str, subject: Subject) -> Answer:
        """What a flag answers, and why. It is not counted.

        Raises:
            FlagsError: the flag is unknown, or the engine can't evaluate it.
        """
        if key not in self.flags:
            raise FlagsError(
                f"{self.place} has no flag {key!r}.",
                remedy=f"ask for one of {', '.join(map(repr, sorted(self.flags))) or 'none'}.",
            )
        try:
            return answer(self._engine, key, subject)
        except EngineError as error:
            problem = f"Flag {key!r} can't be evaluated: {error}."
        raise FlagsError(problem, remedy="give an entity id that is not blank.")

    def reason(self, key: str, subject: Subject) -> tuple[str, tuple[str, ...]]:
        """Why a flag that it has answers so: a word, as in `Answer`, and the segments that matched.

        It costs as much as an answer, and is remembered like one. Raises `EngineError`.
        """
        return self._reasons(key, subject)

    def _unanswered(self, key: str, why: str, default: T) -> T:
        if key in self.counts:
            self.counts[key]["default"] += 1
            self._say_once(key, "flag %r gives its default: it %s", key, why)
        else:
            message = "flag %r is unknown to %s; it gives its default"
            self._say_once(key, message, key, self.place)
        return default

    def _say_once(self, key: str, message: str, *args: object) -> None:
        if key not in self._said and len(self._said) < MOST_SAID:
            self._said.add(key)
            logger.warning(message, *args)

    def _changes(self, before: "Snapshot | None") -> Mapping[str, datetime]:
        # What replaces a stand-in has not changed: it was not known.
        if before is None or before.origin not in {self.origin, "last known"}:
            return {}
        changes = {
            key: before.changed.get(key) if before.flags.get(key) == flag else self.taken
            for key, flag in self.flags.items()
        }
        return {key: change for key, change in changes.items() if change}

    def _folded(self, before: "Snapshot | None") -> tuple[Entries, Entries]:
        """By key, the answer that a flag gives to everybody, and its counts.

        What stands there for an answer that depends on who asks is none: None where the answer is
        on or off, and True where it is a variant.
        """
        booleans: Entries = {}
        variants: Entries = {}
        constants = self._engine.constants
        for key, flag in self.flags.items():
            entries, asked = (booleans, None) if flag.is_boolean else (variants, True)
            if before is not None and before.flags.get(key) is flag:
                entries[key] = before._entry(key)  # noqa: SLF001 - as above
            else:
                entries[key] = constants.get(key, asked), self.counts[key]
        return booleans, variants

    def _entry(self, key: str) -> Entry:
        return self._booleans[key] if key in self._booleans else self._variants[key]


def _counts(flag: Flag, before: Counts | None) -> Counts:
    """The counts of a flag, going on where they were; complete, so that none comes to it later."""
    counts = {} if before is None else before
    for name in ("on", "off", "default") if flag.is_boolean else _outcomes(flag):
        counts.setdefault(name, 0)
    return counts


def _outcomes(flag: Flag) -> list[str]:
    shares = [share.variant_key for rule in flag.rules for share in rule.distributions]
    otherwise = [flag.default_variant.key] if flag.default_variant else []
    return [*dict.fromkeys([*shares, *otherwise]), "no variant", "default"]
