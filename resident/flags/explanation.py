"""A flag in words: who gets what, in which order, and why somebody got an answer."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from resident.flags.answer import Answer
from resident.flags.document import (
    Constraint,
    DefaultVariant,
    Flag,
    Rollout,
    Rule,
    Segment,
    SegmentOperator,
    shares,
)

__all__ = ["Explanation", "Group", "Share", "Step", "Verdict", "percent"]

ALL = 100.0
EVERYBODY = "everybody"
NO_VARIANT = "no variant"
OF_ENTITY = "ENTITY_ID_CONSTRAINT_COMPARISON_TYPE"
OF_TIME = "DATETIME_CONSTRAINT_COMPARISON_TYPE"
MOST_LISTED = 10  # values of a constraint; a segment may be a list of a thousand customers


@dataclass(frozen=True)
class Share:
    """What part of those whom a step is about gets an answer.

    Attributes:
        answer: "on", "off", the key of a variant, or "no variant".
        percent: 0 to 100.
        first: the first bucket of them.
        beyond: the first bucket that is not theirs any more.
    """

    answer: str
    percent: float
    first: int = 0
    beyond: int = 1000

    @property
    def buckets(self) -> int:
        """How many buckets are theirs."""
        return self.beyond - self.first

    @property
    def last(self) -> int:
        """The last bucket that is theirs."""
        return self.beyond - 1

    def __str__(self) -> str:
        return f"{percent(self.percent)} {self.answer}"


@dataclass(frozen=True)
class Group:
    """A segment: who is in it."""

    segment: Segment

    @property
    def key(self) -> str:
        """Its key."""
        return self.segment.key

    @property
    def needs_all(self) -> bool:
        """Whether all of its conditions must hold; else one is enough."""
        return self.segment.match_type == "ALL_SEGMENT_MATCH_TYPE"

    @property
    def conditions(self) -> list[str]:
        """Each in words, as in `plan is "pro"`."""
        return [_condition(constraint) for constraint in self.segment.constraints]

    @property
    def is_everybody(self) -> bool:
        """Whether everybody is in it: a segment without conditions."""
        return not self.segment.constraints

    def __str__(self) -> str:
        return (" and " if self.needs_all else " or ").join(self.conditions) or EVERYBODY


@dataclass(frozen=True)
class Step:
    """One step of a flag: the first that matches decides.

    Attributes:
        rank: from 1 on; 0 for what comes after all of them.
        who: whom it is about: "staff", "beta and pro", "25 % of all", "else".
        shares: what they get; more than one answer where they share them.
        groups: the segments that it names.
        percentage: its threshold, where it has one.
        is_reached: whether it can ever decide; not after one that decides for everybody.
        is_for_all: whether it decides for everybody who comes to it.
    """

    rank: int
    who: str
    shares: tuple[Share, ...]
    groups: tuple[Group, ...] = ()
    percentage: float | None = None
    is_reached: bool = True
    is_for_all: bool = False

    @property
    def gives(self) -> str:
        """What it gives: "on", "60 % plain, 40 % loud"."""
        return self.shares[0].answer if len(self.shares) == 1 else ", ".join(map(str, self.shares))

    @property
    def is_shared(self) -> bool:
        """Whether not everybody whom it is about gets the same answer."""
        return len({share.answer for share in self.shares if share.buckets}) > 1

    @property
    def name(self) -> str:
        """What to call it: "step 2, 25 % of all"."""
        return f"step {self.rank}, {self.who}" if self.rank else self.who

    def __str__(self) -> str:
        number = f"{self.rank}. " if self.rank else ""
        return f"{number}{self.who}: {self.gives}{'' if self.is_reached else ' (never reached)'}"


@dataclass(frozen=True)
class Explanation:
    """What a flag answers to whom; lives as long as whoever asks for it."""

    flag: Flag

    @property
    def kind(self) -> str:
        """Its type in a word: "boolean" or "variant"."""
        return "boolean" if self.flag.is_boolean else "variant"

    @cached_property
    def state(self) -> str:
        """One of "on", "off" and "partly on".

        A boolean flag is partly on where it is on for some; one with variants is on where it looks
        at its rules, and off where it does not.
        """
        if not self.flag.is_boolean:
            return "on" if self.flag.enabled else "off"
        answers = {share.answer for step in self._reached for share in step.shares}
        return answers.pop() if len(answers) == 1 else "partly on"

    @cached_property
    def needs_segments(self) -> bool:
        """Whether the answer depends on which segments somebody is in."""
        return any(step.groups and not step.is_for_all for step in self._reached)

    @cached_property
    def needs_percentage(self) -> bool:
        """Whether the answer depends on the bucket into which somebody's id falls."""
        return any(
            step.is_shared or (step.percentage is not None and not step.is_for_all)
            for step in self._reached
        )

    @property
    def depends_on(self) -> str:
        """What the answer depends on: "everybody alike", "segments", "percentage" or both."""
        named = {"segments": self.needs_segments, "percentage": self.needs_percentage}
        return " and ".join(name for name, needed in named.items() if needed) or "everybody alike"

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """All steps in order; the last is for everybody whom none of them was about."""
        steps = self._rollouts() if self.flag.is_boolean else self._rules()
        return tuple(_marked(steps, is_off=not self.flag.is_boolean and not self.flag.enabled))

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The segments that its steps name, once each."""
        return tuple({it.key: it for step in self.steps for it in step.groups}.values())

    @property
    def properties(self) -> list[str]:
        """The properties of a context that it looks at."""
        constraints = [it for group in self.groups for it in group.segment.constraints]
        return sorted({it.property for it in constraints if it.type != OF_ENTITY})

    @property
    def definition(self) -> str:
        """The flag as Flipt's server sends it, as JSON."""
        return self.flag.model_dump_json(by_alias=True, indent=2)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.flag.key}: {self.kind}, {self.state}, {self.depends_on}"
        if self.flag.description:
            yield f"  {self.flag.description}"
        for step in self.steps:
            yield f"  {step}"
        for group in self.groups:
            yield f"  {group.key}: {group}"

    @property
    def _reached(self) -> list[Step]:
        return [step for step in self.steps if step.is_reached]

    def _rollouts(self) -> Iterator[Step]:
        for rank, rollout in enumerate(self.flag.rollouts, start=1):
            yield _rollout(rank, rollout)
        yield self._otherwise(_word(self.flag.enabled))

    def _rules(self) -> Iterator[Step]:
        for rank, rule in enumerate(self.flag.rules, start=1):
            groups = tuple(Group(segment) for segment in rule.segments)
            yield Step(
                rank,
                _who(groups, rule.segment_operator),
                tuple(_shares(self.flag, rule)),
                groups,
                is_for_all=_is_for_all(groups, rule.segment_operator),
            )
        yield self._otherwise(_variant(self.flag.default_variant))

    def _otherwise(self, answer: str) -> Step:
        who = "else" if self.flag.rollouts or self.flag.rules else EVERYBODY
        return Step(0, who, (Share(answer, ALL),), is_for_all=True)


@dataclass(frozen=True)
class Verdict:
    """Why somebody got an answer, in words; lives as long as whoever asks for it."""

    flag: Flag
    answer: Answer

    @property
    def value(self) -> str:
        """The answer: "on", "off", the key of a variant, or "no variant"."""
        value = self.answer.value
        return _word(value) if isinstance(value, bool) else value or NO_VARIANT

    @property
    def reason(self) -> str:
        """Why, in words: for Flipt's own there are four."""
        return _REASONS.get(self.answer.reason, self.answer.reason)

    @property
    def attachment(self) -> str:
        """What is attached to the variant, as JSON; "" where nothing is."""
        attachment = getattr(self.answer.value, "attachment", None)
        return "" if attachment is None else json.dumps(attachment, ensure_ascii=False)

    @cached_property
    def step(self) -> Step:
        """The step that decided; the last where none before it was about them."""
        rank = self.answer.rank
        return self._steps[rank - 1 if rank else -1]

    @property
    def decided_by(self) -> str:
        """Which step decided, in words."""
        if len(self._steps) == 1:
            return "nothing: it answers the same to everybody"
        if self.answer.reason == "FLAG_DISABLED":
            return "the flag itself, which is off: its rules are not looked at"
        return self.step.name if self.step.rank else "else: none of the steps was about them"

    @property
    def told(self) -> list[tuple[Step, str]]:
        """Each step, with what came of it: "passed over", "decided" or "not looked at"."""
        place = self._steps.index(self.step)
        is_off = self.answer.reason == "FLAG_DISABLED"
        before = "not looked at" if is_off else "passed over"
        said = [before] * place + ["decided"] + ["not looked at"] * len(self._steps)
        return list(zip(self._steps, said, strict=False))

    @property
    def bucket(self) -> str:
        """What the bucket is, and what it meant: "bucket 17 of 100: below 25, so on"; "" where
        the flag asks nobody for one.
        """
        number = self.answer.bucket
        if number is None:
            return ""
        of = f"bucket {number} of {100 if self.flag.is_boolean else 1000}"
        return f"{of}: {self._meaning(number)}"

    def _meaning(self, number: int) -> str:
        step = self.step
        if step.percentage is not None:
            return f"below {step.percentage:g}, so {self.value}"
        if step.is_shared:
            share = next(it for it in step.shares if it.first <= number < it.beyond)
            return f"{share.first} to {share.last} get {share.answer}"
        tried = [it.percentage for it in self._steps if it.percentage is not None]
        if step.rank == 0 and tried:
            return f"not below {max(tried):g}"
        return "it played no part"

    @cached_property
    def _steps(self) -> tuple[Step, ...]:
        return Explanation(self.flag).steps


def percent(number: float) -> str:
    """A percentage as people write it: "25 %", "12.5 %"."""
    return f"{number:g} %"


def _marked(steps: Iterator[Step], *, is_off: bool) -> Iterator[Step]:
    """The steps, with those marked that can't be reached: all but the last of a flag that is off,
    those after one that is for everybody, and a threshold that an earlier one covers.
    """
    is_over, covered = False, 0.0
    for step in steps:
        skipped = is_off and step.rank > 0
        needless = step.percentage is not None and step.percentage <= covered
        yield replace(step, is_reached=False) if is_over or skipped or needless else step
        is_over = is_over or (step.is_for_all and not skipped)
        covered = max(covered, step.percentage or 0.0)


def _rollout(rank: int, rollout: Rollout) -> Step:
    if rollout.segment is not None:
        choice = rollout.segment
        groups = tuple(Group(segment) for segment in choice.segments)
        who = _who(groups, choice.segment_operator)
        is_for_all = _is_for_all(groups, choice.segment_operator)
        return Step(rank, who, _only(choice.value), groups, is_for_all=is_for_all)
    if rollout.threshold is not None:
        part = rollout.threshold
        who = f"{percent(part.percentage)} of all"
        is_for_all = part.percentage >= ALL
        return Step(rank, who, _only(part.value), percentage=part.percentage, is_for_all=is_for_all)
    return Step(rank, "nobody", _only(value=False))


def _only(value: bool) -> tuple[Share, ...]:
    return (Share(_word(value), ALL),)


def _shares(flag: Flag, rule: Rule) -> Iterator[Share]:
    """The answers of a rule, with the buckets of each: the engine rounds their borders."""
    border = 0.0
    for share in shares(flag, rule):
        first, border = _rounded(border), border + share.rollout * 10
        yield Share(share.variant_key or NO_VARIANT, share.rollout, first, _rounded(border))


def _rounded(border: float) -> int:
    # Half a bucket is a whole one to the engine; to Python only every other time.
    return math.floor(border + 0.5)


def _who(groups: Sequence[Group], operator: SegmentOperator) -> str:
    both = " and " if operator == "AND_SEGMENT_OPERATOR" else " or "
    return both.join(group.key for group in groups) or "nobody"


def _is_for_all(groups: Sequence[Group], operator: SegmentOperator) -> bool:
    enough = all if operator == "AND_SEGMENT_OPERATOR" else any
    return bool(groups) and enough(group.is_everybody for group in groups)


def _condition(constraint: Constraint) -> str:
    subject = constraint.property
    if constraint.type == OF_ENTITY:
        subject = "entity id"
    words = _WORDS.get(constraint.operator, constraint.operator)
    if constraint.type == OF_TIME:
        words = _WORDS_OF_TIME.get(constraint.operator, words)
    return f"{subject} {words} {_object(constraint)}".rstrip()


def _object(constraint: Constraint) -> str:
    if constraint.operator in _ALONE:
        return ""
    if constraint.operator in {"isoneof", "isnotoneof"}:
        return _listed(constraint.value)
    is_text = constraint.type in {"STRING_CONSTRAINT_COMPARISON_TYPE", OF_ENTITY}
    return _quoted(constraint.value) if is_text else constraint.value


def _listed(value: str) -> str:
    try:
        values = json.loads(value)
    except ValueError:
        values = None
    if not isinstance(values, list):
        return _quoted(value)
    shown = [_quoted(each) for each in values[:MOST_LISTED]]
    more = len(values) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _word(value: bool) -> str:
    return "on" if value else "off"


def _variant(default: DefaultVariant | None) -> str:
    return (default.key if default else "") or NO_VARIANT


_ALONE = {"true", "false", "present", "notpresent", "empty", "notempty"}

_WORDS = {
    "eq": "is",
    "neq": "is not",
    "empty": "is empty",
    "notempty": "is not empty",
    "prefix": "begins with",
    "suffix": "ends with",
    "isoneof": "is one of",
    "isnotoneof": "is none of",
    "contains": "contains",
    "notcontains": "does not contain",
    "present": "is given",
    "notpresent": "is not given",
    "lt": "is less than",
    "lte": "is at most",
    "gt": "is more than",
    "gte": "is at least",
    "true": "is true",
    "false": "is false",
}

_WORDS_OF_TIME = {
    "lt": "is before",
    "lte": "is not after",
    "gt": "is after",
    "gte": "is not before",
}

_REASONS = {
    "MATCH": "a step was about them",
    "DEFAULT": "no step was about them",
    "FLAG_DISABLED": "the flag is off",
    "UNKNOWN": "no rule was about them, and there is no default variant",
}
