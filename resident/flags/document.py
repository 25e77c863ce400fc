"""The document in which Flipt's server sends a namespace, and the snapshot that its engine reads.

The server's document is camelCase and leaves out what is empty; the engine's snapshot is
snake_case, keyed by flag, and must have every key: an engine that misses one evaluates an empty
namespace, and says nothing. So the document is checked here, and the snapshot is written in full.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property, partial
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    field_validator,
)
from pydantic.alias_generators import to_camel

from resident.exceptions import FlagsError

__all__ = ["NO_FLAGS", "Document", "Flag", "loaded", "parse", "parse_message", "shares"]

FlagType = Literal["BOOLEAN_FLAG_TYPE", "VARIANT_FLAG_TYPE"]
MatchType = Literal["ALL_SEGMENT_MATCH_TYPE", "ANY_SEGMENT_MATCH_TYPE"]
SegmentOperator = Literal["OR_SEGMENT_OPERATOR", "AND_SEGMENT_OPERATOR"]
ConstraintType = Literal[
    "STRING_CONSTRAINT_COMPARISON_TYPE",
    "NUMBER_CONSTRAINT_COMPARISON_TYPE",
    "BOOLEAN_CONSTRAINT_COMPARISON_TYPE",
    "DATETIME_CONSTRAINT_COMPARISON_TYPE",
    "ENTITY_ID_CONSTRAINT_COMPARISON_TYPE",
]

FLAG_TYPES = get_args(FlagType)
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
DIGEST = re.compile(r"[0-9a-f]{1,64}")
ENTITY_ID = "ENTITY_ID_CONSTRAINT_COMPARISON_TYPE"
EVERYBODY = 100.0  # percent
SMALLEST_SHARE = 0.05  # percent; the engine counts in thousandths


class _Part(BaseModel):
    """A part of the document. Keys that a later Flipt adds are passed over."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore"
    )


def _or_empty(value: Any) -> Any:
    # Go writes a list that was never made as null.
    return [] if value is None else value


class Constraint(_Part):
    """A condition on one property of the context, or on the entity's id."""

    type: ConstraintType
    property: str = ""
    operator: str
    value: str = ""


class Segment(_Part):
    """A group of entities: those that match all, or any, of its constraints."""

    key: str
    match_type: MatchType
    constraints: Annotated[list[Constraint], BeforeValidator(_or_empty)] = []

    @property
    def goes_by_id(self) -> bool:
        """Whether one of its constraints looks at the entity's id."""
        return any(constraint.type == ENTITY_ID for constraint in self.constraints)


def _json(attachment: str) -> str:
    if attachment:
        json.loads(attachment)
    return attachment


Attachment = Annotated[str, AfterValidator(_json)]


def _in_order(segments: list[Segment]) -> list[Segment]:
    # The server's order is another in every answer, and means nothing.
    return sorted(segments, key=lambda segment: segment.key)


Segments = Annotated[list[Segment], BeforeValidator(_or_empty), AfterValidator(_in_order)]


class SegmentRollout(_Part):
    """The answer for those who are in the segments."""

    value: bool = False
    segment_operator: SegmentOperator = "OR_SEGMENT_OPERATOR"
    segments: Segments = []

    @property
    def goes_by_id(self) -> bool:
        """Whether one of its segments does."""
        return any(segment.goes_by_id for segment in self.segments)


class ThresholdRollout(_Part):
    """The answer for a percentage (0 to 100) of all entities."""

    percentage: float = 0.0
    value: bool = False

    @property
    def goes_by_id(self) -> bool:
        """Whether it is for some, and not for others."""
        return 0 < self.percentage < EVERYBODY


class Rollout(_Part):
    """One step of a boolean flag: the first that matches decides."""

    segment: SegmentRollout | None = None
    threshold: ThresholdRollout | None = None


class Distribution(_Part):
    """The share (0 to 100 percent) of one variant in a rule."""

    variant_key: str
    variant_attachment: Attachment = ""
    rollout: float = 0.0


class Rule(_Part):
    """One step of a variant flag: the variants that those in the segments share."""

    id: str = ""
    segment_operator: SegmentOperator = "OR_SEGMENT_OPERATOR"
    segments: Segments = []
    distributions: Annotated[list[Distribution], BeforeValidator(_or_empty)] = []

    @property
    def goes_by_id(self) -> bool:
        """Whether variants are shared out, or one of its segments looks at the id."""
        shared = any(0 < share.rollout < EVERYBODY for share in self.distributions)
        return shared or any(segment.goes_by_id for segment in self.segments)

    def once(self, times: int) -> "Rule":
        """The rule without what a server that wrote it so many times repeated in it.

        And without its id, which says nothing: Flipt v2 makes it up whenever it reads its files.
        """
        shares = self.distributions[: len(self.distributions) // times]
        repeated = shares * times == self.distributions
        written = shares if repeated else self.distributions
        return self.model_copy(update={"id": "", "distributions": written})


class DefaultVariant(_Part):
    """What a variant flag answers where no rule matches."""

    key: str
    attachment: Attachment = ""

    def snapshot(self) -> dict[str, str]:
        """The same for the engine, which wants an id; the server makes one up."""
        return {"id": self.key, "key": self.key, "attachment": self.attachment}


class Flag(_Part):
    """A flag with what decides about it."""

    key: str
    name: str = ""
    description: str = ""
    type: FlagType = "VARIANT_FLAG_TYPE"
    enabled: bool = False
    default_variant: DefaultVariant | None = None
    rules: Annotated[list[Rule], BeforeValidator(_or_empty)] = []
    rollouts: Annotated[list[Rollout], BeforeValidator(_or_empty)] = []

    @field_validator("rules")
    @classmethod
    def _once(cls, rules: list[Rule]) -> list[Rule]:
        # Flipt v1 writes a rule of two segments twice, and each time its distributions twice.
        times = Counter(rule.id for rule in rules)
        firsts = {rule.id or place: rule for place, rule in enumerate(rules)}
        return [rule.once(times[rule.id]) if rule.id else rule for rule in firsts.values()]

    @property
    def is_boolean(self) -> bool:
        """Whether its answer is on or off; else it is the key of a variant."""
        return self.type == "BOOLEAN_FLAG_TYPE"

    @property
    def is_constant(self) -> bool:
        """Whether it answers the same to everybody."""
        if not self.is_boolean:
            return not self.enabled or not self.rules
        return len({rollout.value for rollout in self._steps()}) == 1

    @property
    def has_percentage(self) -> bool:
        """Whether the answer depends on the entity's id: on its share, or on what it is."""
        if self.is_constant:
            return False
        if self.is_boolean:
            return any(step.goes_by_id for step in self._steps())
        return any(rule.goes_by_id for rule in self.rules)

    @cached_property
    def asks_for(self) -> tuple[bool, frozenset[str]]:
        """What decides the answer: whether the entity's id, and which properties of the context."""
        of_rollouts = [it.segment.segments for it in self.rollouts if it.segment is not None]
        of_rules = [rule.segments for rule in self.rules]
        names = frozenset(
            constraint.property
            for segments in (*of_rollouts, *of_rules)
            for segment in segments
            for constraint in segment.constraints
        )
        return self.has_percentage, names

    def _steps(self) -> Iterator["SegmentRollout | ThresholdRollout"]:
        """What decides about a boolean flag, down to what decides about everybody that is left."""
        for rollout in self.rollouts:
            if rollout.segment is not None:
                yield rollout.segment
            elif rollout.threshold is not None and rollout.threshold.percentage > 0:
                yield rollout.threshold
                if rollout.threshold.percentage >= EVERYBODY:
                    return
        yield ThresholdRollout(percentage=EVERYBODY, value=self.enabled)


NO_FLAGS: Mapping[str, Flag] = MappingProxyType({})


class Namespace(_Part):
    """The namespace whose flags the document holds."""

    key: str = "default"


class Document(_Part):
    """All flags of one namespace, as Flipt's server sends them."""

    namespace: Namespace
    flags: Annotated[list[Flag], BeforeValidator(_or_empty)] = []

    @classmethod
    def empty(cls, namespace: str = "default") -> "Document":
        """A namespace without flags."""
        return cls(namespace=Namespace(key=namespace))

    @property
    def by_key(self) -> dict[str, Flag]:
        """Its flags by key; of several with one key the last, as the engine has it."""
        return {flag.key: flag for flag in self.flags}

    @property
    def digest(self) -> str:
        """A short name of its content: the same for equal documents."""
        digest = hashlib.sha256(self.namespace.key.encode())
        for flag in self.flags:
            digest.update(flag.model_dump_json().encode())
        return digest.hexdigest()[:12]

    def snapshot(self) -> bytes:
        """The same in the form that Flipt's engine reads, as JSON.

        Written flag by flag: while json writes, or pydantic, no other thread runs, and what
        thousands of flags take in one go the requests would notice.
        """
        sections: dict[str, list[str]] = {name: [] for name in _SECTIONS}
        for flag in self.by_key.values():
            for name, section in _SECTIONS.items():
                if members := json.dumps(dict(section(flag)))[1:-1]:
                    sections[name].append(members)
        written = (f'"{name}": {{{", ".join(them)}}}' for name, them in sections.items())
        namespace = ", ".join([f'"key": {json.dumps(self.namespace.key)}', *written])
        return f'{{"version": 1, "namespace": {{{namespace}}}}}'.encode()


class _Message(BaseModel):
    """A line of the stream."""

    result: Document


class _Digest(BaseModel):
    digest: str = ""


class _Named(BaseModel):
    """The same line, of which only the document's digest is looked at."""

    result: _Digest


def loaded(body: bytes, before: Mapping[str, Flag] = NO_FLAGS) -> Any:
    """What is in the JSON, its flags as such; None where it is none, which pydantic tells better.

    A flag is made as soon as it has been read, and one that equals that of `before` is that. For
    thousands of objects that stay make Python's garbage collector look through all that there are,
    while no other thread runs. Nor would one run until pydantic had read all of it; json lets
    others have their turn where it calls a function.
    """
    with suppress(ValueError, RecursionError):
        return json.loads(body.decode(), object_hook=partial(_with_flags, before))
    return None


def parse(body: bytes, *, source: str, before: Mapping[str, Flag] = NO_FLAGS) -> Document:
    """The document in an answer's body.

    Args:
        body: JSON.
        source: who has sent it, for an error.
        before: flags by key, for which those that have not changed need not be made anew.

    Raises:
        FlagsError: it is no such document; the message names `source` and the first fault.
    """
    return _validated(Document, loaded(body, before), body, source)


def parse_message(
    line: bytes, *, source: str, before: Mapping[str, Flag] = NO_FLAGS
) -> tuple[Document, str]:
    """The document in a line of the stream, and its digest; "" for none. Otherwise as `parse`."""
    message = loaded(line, before)
    document = _validated(_Message, message, line, source).result
    digest = _validated(_Named, message, line, source).result.digest
    return document, digest if DIGEST.fullmatch(digest) else ""


M = TypeVar("M", bound=BaseModel)


def _with_flags(before: Mapping[str, Flag], part: dict[str, Any]) -> Any:
    """The flag that this part of the document is; else the part, whose faults are told later."""
    if part.get("type") not in FLAG_TYPES:
        return part
    try:
        flag = Flag.model_validate(part)
    except ValidationError:
        return part
    return known if (known := before.get(flag.key)) == flag else flag


def _validated(model: type[M], found: Any, body: bytes, source: str) -> M:
    with suppress(ValidationError):
        return model.model_validate(found)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(map(str, fault["loc"])) or "the body"
    raise FlagsError(
        f"{source} sent what is not a document of flags: {where}: {fault['msg']}.",
        remedy="check that flipt_api_host is Flipt itself, version 1.39 or later.",
    )


def _flag(flag: Flag) -> dict[str, Any]:
    written: dict[str, Any] = {
        "key": flag.key,
        "enabled": flag.enabled,
        "type": flag.type,
        "description": flag.description,
    }
    if flag.default_variant is not None:
        written["default_variant"] = flag.default_variant.snapshot()
    return written


def _numbered(flag: Flag) -> Iterator[tuple[str, int, Rule]]:
    """The flag's rules, each with an id of ours and its rank: the engine joins by the id."""
    for rank, rule in enumerate(flag.rules, start=1):
        yield f"{flag.key}-{rank}", rank, rule


def _rules(flag: Flag) -> Iterator[dict[str, Any]]:
    for rule_id, rank, rule in _numbered(flag):
        yield {
            "id": rule_id,
            "flag_key": flag.key,
            "rank": rank,
            "segment_operator": rule.segment_operator,
            "segments": _segments(rule.segments),
        }


def _distributions(flag: Flag) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for rule_id, _, rule in _numbered(flag):
        names = ("variant_key", "variant_attachment", "rollout")
        yield rule_id, [{"rule_id": rule_id, **_fields(it, names)} for it in shares(flag, rule)]


def _rollouts(flag: Flag) -> Iterator[dict[str, Any]]:
    for rank, rollout in enumerate(flag.rollouts, start=1):
        if rollout.segment is not None:
            yield {
                "rollout_type": "SEGMENT_ROLLOUT_TYPE",
                "rank": rank,
                "segment": {
                    "value": rollout.segment.value,
                    "segment_operator": rollout.segment.segment_operator,
                    "segments": _segments(rollout.segment.segments),
                },
            }
        elif rollout.threshold is not None:
            yield {
                "rollout_type": "THRESHOLD_ROLLOUT_TYPE",
                "rank": rank,
                "threshold": _fields(rollout.threshold, ("percentage", "value")),
            }


def _segments(segments: list[Segment]) -> dict[str, Any]:
    return {
        segment.key: {
            "segment_key": segment.key,
            "match_type": segment.match_type,
            "constraints": [_constraint(constraint) for constraint in segment.constraints],
        }
        for segment in segments
    }


def _constraint(constraint: Constraint) -> dict[str, Any]:
    written = _fields(constraint, ("type", "property", "operator", "value"))
    if constraint.type == "DATETIME_CONSTRAINT_COMPARISON_TYPE" and DAY.fullmatch(constraint.value):
        # Flipt takes a day for its midnight, and its engine for no date at all.
        written["value"] += "T00:00:00Z"
    return written


def _fields(part: _Part, names: Iterable[str]) -> dict[str, Any]:
    # Not by pydantic's means, which take a multiple of this.
    return {name: getattr(part, name) for name in names}


_SECTIONS: dict[str, Callable[[Flag], Iterable[tuple[str, Any]]]] = {
    "flags": lambda flag: [(flag.key, _flag(flag))],
    "eval_rules": lambda flag: [(flag.key, list(_rules(flag)))],
    "eval_rollouts": lambda flag: [(flag.key, list(_rollouts(flag)))],
    "eval_distributions": _distributions,
}
"""What the engine joins again, and what of each flag is in it."""


def shares(flag: Flag, rule: Rule) -> Iterator[Distribution]:
    """The rule's shares up to 100 percent, filled up by what the server gives to the rest.

    The engine stretches or squeezes other sums: to it, 30 percent of one variant would be all.
    """
    left = EVERYBODY
    for share in rule.distributions:
        rollout = min(share.rollout, left)
        left = round(left - rollout, 6)
        yield share.model_copy(update={"rollout": rollout})
    if left >= SMALLEST_SHARE:
        otherwise = flag.default_variant or DefaultVariant(key="")
        yield Distribution(
            variant_key=otherwise.key, variant_attachment=otherwise.attachment, rollout=left
        )
