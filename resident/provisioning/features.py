"""A features file as Flipt's management API understands it, comparable with what stands there.

Each class is made in two ways: `of` takes what the file says, `standing` what Flipt
answers. Two of them are equal when Flipt would evaluate and show the same.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Self, TypeVar

from resident.exceptions import ProvisionError

# Flipt stores percentages in 32 bits.
_DIGITS = 3

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Constraint:
    """One condition of a segment."""

    type: str
    property: str
    operator: str
    value: str
    description: str

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """From the file, and from Flipt's answer alike: both use the same names."""
        kind = raw["type"]
        value = _text(raw.get("value"))
        if kind == "DATETIME_COMPARISON_TYPE":
            value = _in_utc(value)
        operator = _text(raw["operator"]).lower()
        return cls(kind, raw["property"], operator, value, _text(raw.get("description")))

    def body(self) -> dict[str, Any]:
        """What creates it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Segment:
    """Whom a rule or a rollout is for."""

    key: str
    name: str
    description: str
    match_type: str
    constraints: tuple[Constraint, ...] = field(compare=False)

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """From the file."""
        return cls._with(raw, raw.get("match_type"))

    @classmethod
    def standing(cls, raw: Mapping[str, Any]) -> Self:
        """From Flipt's answer."""
        return cls._with(raw, raw.get("matchType"))

    @classmethod
    def _with(cls, raw: Mapping[str, Any], match_type: str | None) -> Self:
        return cls(
            key=raw["key"],
            name=_text(raw.get("name") or raw["key"]),
            description=_text(raw.get("description")),
            match_type=match_type or "ALL_MATCH_TYPE",
            constraints=tuple(map(Constraint.of, _items(raw, "constraints"))),
        )

    def body(self) -> dict[str, Any]:
        """What creates it, without its constraints."""
        return {
            "key": self.key,
            "name": self.name,
            "description": self.description,
            "matchType": self.match_type,
        }


@dataclass(frozen=True, slots=True)
class Audience:
    """The segments that a rule or a rollout names, and how they go together."""

    keys: tuple[str, ...] = field(compare=False)
    members: frozenset[str]
    operator: str

    @classmethod
    def of(cls, raw: str | Mapping[str, Any]) -> Self:
        """From the file, which writes a key, `{key: …}`, or `{keys: …, operator: …}`."""
        if isinstance(raw, str):
            return cls._with([raw], None)
        return cls._with(raw.get("keys") or [raw["key"]], raw.get("operator"))

    @classmethod
    def standing(cls, raw: Mapping[str, Any]) -> Self:
        """From Flipt's answer, which writes one key and several differently."""
        return cls._with(raw.get("segmentKeys") or [raw["segmentKey"]], raw.get("segmentOperator"))

    @classmethod
    def _with(cls, keys: Iterable[str], operator: str | None) -> Self:
        # As Flipt does: each segment counts once, and one alone is combined with nothing.
        several = tuple(dict.fromkeys(keys))
        if len(several) == 1:
            operator = None
        return cls(several, frozenset(several), operator or "OR_SEGMENT_OPERATOR")

    def body(self) -> dict[str, Any]:
        """What a rule or rollout that is created carries of it."""
        return {"segmentKeys": list(self.keys), "segmentOperator": self.operator}


@dataclass(frozen=True, slots=True)
class Rollout:
    """One step of a boolean flag: for a segment, or for a percentage."""

    description: str
    audience: Audience | None
    percentage: float
    value: bool

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """From the file."""
        return cls._with(raw, Audience.of)

    @classmethod
    def standing(cls, raw: Mapping[str, Any]) -> Self:
        """From Flipt's answer."""
        return cls._with(raw, Audience.standing)

    @classmethod
    def _with(cls, raw: Mapping[str, Any], audience: Callable[[Any], Audience]) -> Self:
        segment, threshold = raw.get("segment"), raw.get("threshold")
        if (segment is None) == (threshold is None):
            raise ValueError("a rollout has either a segment or a threshold")
        description = _text(raw.get("description"))
        if threshold is None:
            return cls(description, audience(segment), 0, bool(raw["segment"].get("value")))
        percentage = round(float(threshold.get("percentage", 0)), _DIGITS)
        return cls(description, None, percentage, bool(threshold.get("value")))

    def body(self) -> dict[str, Any]:
        """What creates it, without its rank."""
        rule: dict[str, Any] = {"value": self.value}
        if self.audience is None:
            rule["percentage"] = self.percentage
            return {"description": self.description, "threshold": rule}
        return {"description": self.description, "segment": rule | self.audience.body()}


@dataclass(frozen=True, slots=True)
class Rule:
    """One step of a variant flag: for its audience, variants by percentage."""

    audience: Audience
    distributions: Mapping[str, float]

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """From the file."""
        shares = {item["variant"]: item.get("rollout", 0) for item in _items(raw, "distributions")}
        return cls._with(Audience.of(raw["segment"]), shares)

    @classmethod
    def standing(cls, raw: Mapping[str, Any], variants: Mapping[str, str]) -> Self:
        """From Flipt's answer, which names variants by id: `variants` tells their keys."""
        shares = {
            variants.get(item["variantId"], ""): item.get("rollout", 0)
            for item in _items(raw, "distributions")
        }
        return cls._with(Audience.standing(raw), shares)

    @classmethod
    def _with(cls, audience: Audience, shares: Mapping[str, Any]) -> Self:
        return cls(audience, {key: round(float(share), _DIGITS) for key, share in shares.items()})

    def begins(self, whole: Self) -> bool:
        """Whether this is `whole`, or what is left of it where a distribution is missing."""
        return (
            self.audience == whole.audience
            and self.distributions.items() <= whole.distributions.items()
        )


@dataclass(frozen=True, slots=True)
class Variant:
    """One answer of a variant flag."""

    key: str
    name: str
    description: str
    attachment: str

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """From the file, which writes the attachment as YAML."""
        return cls._with(raw, raw.get("attachment"))

    @classmethod
    def standing(cls, raw: Mapping[str, Any]) -> Self:
        """From Flipt's answer, which writes the attachment as a string of JSON."""
        text = raw.get("attachment")
        return cls._with(raw, json.loads(text) if text else None)

    @classmethod
    def _with(cls, raw: Mapping[str, Any], attachment: Any) -> Self:
        text = "" if attachment is None else _json(attachment)
        return cls(raw["key"], _text(raw.get("name")), _text(raw.get("description")), text)

    def body(self) -> dict[str, Any]:
        """What creates it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag with everything below it; two are compared without that."""

    key: str
    name: str
    type: str
    description: str
    enabled: bool
    metadata: Mapping[str, Any]
    variants: tuple[Variant, ...] = field(compare=False, default=())
    default: str | None = field(compare=False, default=None)
    rules: tuple[Rule, ...] = field(compare=False, default=())
    rollouts: tuple[Rollout, ...] = field(compare=False, default=())

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """From the file; of several default variants Flipt takes the last."""
        variants = _items(raw, "variants")
        defaults = [variant["key"] for variant in variants if variant.get("default")]
        return cls(
            **_own(raw),
            variants=tuple(map(Variant.of, variants)),
            default=defaults[-1] if defaults else None,
            rules=tuple(map(Rule.of, _ranked(_items(raw, "rules")))),
            rollouts=tuple(map(Rollout.of, _items(raw, "rollouts"))),
        )

    @classmethod
    def standing(cls, raw: Mapping[str, Any]) -> Self:
        """From Flipt's answer; rules and rollouts are asked for elsewhere."""
        default = raw.get("defaultVariant") or {}
        return cls(
            **_own(raw),
            variants=tuple(map(Variant.standing, _items(raw, "variants"))),
            default=default.get("key"),
        )

    def body(self) -> dict[str, Any]:
        """What creates it, without what is below it."""
        body: dict[str, Any] = {
            name: getattr(self, name) for name in ("key", "name", "type", "description", "enabled")
        }
        return body | {"metadata": dict(self.metadata)} if self.metadata else body


@dataclass(frozen=True, slots=True)
class Namespace:
    """One document of a features file. A name that the file does not tell is None."""

    key: str
    name: str | None
    description: str | None
    segments: tuple[Segment, ...]
    flags: tuple[Flag, ...]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """From the file, which writes a namespace as a key or as `{key, name, description}`."""
        raw = document.get("namespace") or "default"
        named = {"key": raw} if isinstance(raw, str) else raw
        return cls(
            key=named["key"],
            name=named.get("name"),
            description=named.get("description"),
            segments=_each(Segment.of, "segment", _items(document, "segments")),
            flags=_each(Flag.of, "flag", _items(document, "flags")),
        )


def read_features(documents: Iterable[Mapping[str, Any]]) -> tuple[Namespace, ...]:
    """What a features file asks for, document by document.

    Args:
        documents: the file as a YAML reader gives it, in Flipt's declarative format.

    Raises:
        ProvisionError: something in it can't be told to Flipt; names the flag or segment.
    """
    return _each(Namespace.of, "document", documents)


def _each(
    make: Callable[[Mapping[str, Any]], T], what: str, raws: Iterable[Mapping[str, Any]]
) -> tuple[T, ...]:
    return tuple(_make(make, what, raw) for raw in raws)


def _make(make: Callable[[Mapping[str, Any]], T], what: str, raw: Mapping[str, Any]) -> T:
    try:
        return make(raw)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
    key = f" {raw['key']}" if isinstance(raw, Mapping) and "key" in raw else ""
    raise ProvisionError(
        f"The features file has a {what}{key} that can't be read ({reason}).",
        remedy="Correct it as Flipt's declarative format asks: `flipt validate` shows where.",
    )


def _own(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What file and answer say of a flag itself, in the same words."""
    return {
        "key": raw["key"],
        "name": _text(raw.get("name") or raw["key"]),
        "type": raw.get("type") or "VARIANT_FLAG_TYPE",
        "description": _text(raw.get("description")),
        "enabled": bool(raw.get("enabled")),
        "metadata": json.loads(_json(raw.get("metadata") or {})),
    }


def _items(raw: Mapping[str, Any], key: str) -> list[Any]:
    """A list of the file, where YAML may have left nothing or holes."""
    return [item for item in raw.get(key) or () if item is not None]


def _ranked(rules: list[Any]) -> list[Any]:
    """Rules in the order of their ranks; a rule without one has its place as rank."""
    order = {id(rule): rule.get("rank") or place for place, rule in enumerate(rules, start=1)}
    return sorted(rules, key=lambda rule: order[id(rule)])


def _text(value: Any) -> str:
    """A scalar as Flipt's own reader would take it where it wants a string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def _in_utc(text: str) -> str:
    """A moment as Flipt stores it; what is no moment with a zone stays for Flipt to judge."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    if moment.tzinfo is None:
        return text
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _json(value: Any) -> str:
    """JSON that is the same for equal values, with dates as YAML reads them unquoted."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_text)
