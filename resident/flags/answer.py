"""What a flag answers, with the reason: for people who wonder."""

from dataclasses import dataclass
from zlib import crc32

from resident.flags.document import Document, Flag
from resident.flags.engine import Engine, Variant
from resident.flags.subject import Subject

__all__ = ["Answer", "answer"]

DECIDED = "MATCH"


@dataclass(frozen=True)
class Answer:
    """What a flag answers to one subject, and why.

    Attributes:
        flag_key: the flag.
        value: on or off, or the variant; None for no variant.
        reason: in Flipt's words: MATCH, DEFAULT, FLAG_DISABLED.
        segments: keys of the segments that the subject is in, and that decided.
        bucket: where the entity stands, of 0 to 99 for a boolean flag, of 0 to 999 for one with
            variants; None where the flag asks nobody for that.
        rank: the rollout or rule that decided, from 1; None where none did.
    """

    flag_key: str
    value: bool | Variant | None
    reason: str
    segments: tuple[str, ...]
    bucket: int | None
    rank: int | None


def answer(engine: Engine, key: str, subject: Subject) -> Answer:
    """What the engine answers, and why. Raises `EngineError`; KeyError for an unknown flag."""
    flag = engine.flags[key]
    reason, segments = engine.reason(key, subject)
    return Answer(
        flag_key=key,
        value=engine.evaluate(key, subject),
        reason=reason,
        segments=segments,
        bucket=_bucket(flag, subject.entity_id) if flag.has_percentage else None,
        rank=_rank(flag, subject) if reason == DECIDED else None,
    )


def _bucket(flag: Flag, entity_id: str) -> int:
    if flag.is_boolean:
        return crc32(f"{entity_id}{flag.key}".encode()) % 100
    return crc32(f"{flag.key}{entity_id}".encode()) % 1000


def _rank(flag: Flag, subject: Subject) -> int:
    """The first step without which none decides: found by asking the engine without the others."""
    steps = "rollouts" if flag.is_boolean else "rules"
    last = len(getattr(flag, steps))
    for rank in range(1, last):
        shorter = flag.model_copy(update={steps: getattr(flag, steps)[:rank]})
        engine = Engine(Document.empty().model_copy(update={"flags": [shorter]}))
        if engine.reason(flag.key, subject)[0] == DECIDED:
            return rank
    return last
