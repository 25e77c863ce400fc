"""Flipt's declarative features file, read into the document that Flipt's server would send.

Versions 1.0 to 1.4 of the format. As in Flipt, a key that the format does not have is an error.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from resident.exceptions import FlagsError
from resident.flags import document as wire
from resident.flags import saved
from resident.flags.dialect import documents

__all__ = ["load", "variants"]

Key = Annotated[str, Field(pattern=r"^[-_,A-Za-z0-9]+$")]
Line = Annotated[str, Field(pattern=r"^.+$")]
Percentage = Annotated[float, Field(ge=0, le=100)]
Operator = Literal["OR_SEGMENT_OPERATOR", "AND_SEGMENT_OPERATOR"]

_TEXT = "eq neq empty notempty prefix suffix isoneof isnotoneof contains notcontains"
_MOMENT = "eq neq present notpresent lt lte gt gte"
OPERATORS = {
    "STRING_COMPARISON_TYPE": _TEXT.split(),
    "ENTITY_ID_COMPARISON_TYPE": _TEXT.split(),
    "NUMBER_COMPARISON_TYPE": [*_MOMENT.split(), "isoneof", "isnotoneof"],
    "DATETIME_COMPARISON_TYPE": _MOMENT.split(),
    "BOOLEAN_COMPARISON_TYPE": ["true", "false", "present", "notpresent"],
}


SINCE = {"type": "1.1", "rollouts": "1.1", "metadata": "1.3", "default": "1.3"}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Constraint(_Part):
    type: str
    property: Line
    operator: str
    value: str = ""
    description: str = ""

    @model_validator(mode="after")
    def _operator_fits_type(self) -> Self:
        operators = OPERATORS.get(self.type)
        if operators is None:
            raise ValueError(f"type {self.type!r} is none of {', '.join(OPERATORS)}")
        if self.operator not in operators:
            raise ValueError(f"operator {self.operator!r} is none of {', '.join(operators)}")
        return self

    def document(self) -> wire.Constraint:
        return wire.Constraint(
            type=self.type.replace("_COMPARISON_", "_CONSTRAINT_COMPARISON_"),
            property=self.property,
            operator=self.operator,
            value=self.value,
        )


class Segment(_Part):
    key: Key
    name: Line
    description: str = ""
    match_type: Literal["ALL_MATCH_TYPE", "ANY_MATCH_TYPE"]
    constraints: list[Constraint] = []

    def document(self) -> wire.Segment:
        return wire.Segment(
            key=self.key,
            match_type=self.match_type.replace("_MATCH_", "_SEGMENT_MATCH_"),
            constraints=[constraint.document() for constraint in self.constraints],
        )


def _as_keys(value: Any) -> Any:
    return {"keys": [value]} if isinstance(value, str) else value


class Segments(_Part):
    """Segments of which one, or with AND_SEGMENT_OPERATOR all, must match."""

    keys: Annotated[list[Key], Field(min_length=1)]
    operator: Operator | None = None


class SegmentRollout(Segments):
    value: bool = False

    @model_validator(mode="before")
    @classmethod
    def _key_is_one_of_keys(cls, value: Any) -> Any:
        if isinstance(value, dict) and "key" in value and "keys" not in value:
            others = {name: each for name, each in value.items() if name != "key"}
            return {"keys": [value["key"]], **others}
        return value


class ThresholdRollout(_Part):
    percentage: Percentage
    value: bool = False


class Rollout(_Part):
    description: str = ""
    segment: SegmentRollout | None = None
    threshold: ThresholdRollout | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.segment is None) == (self.threshold is None):
            raise ValueError("a rollout has either a 'segment' or a 'threshold'")
        return self


class Distribution(_Part):
    variant: Line
    rollout: Percentage


class Rule(_Part):
    segment: Annotated[Segments, BeforeValidator(_as_keys)]
    rank: Annotated[int, Field(ge=0)] = 0
    distributions: list[Distribution] = []


def _object_or_list(value: JsonValue) -> JsonValue:
    if not isinstance(value, dict | list | None):
        raise ValueError("an attachment is an object or a list")  # noqa: TRY004 - pydantic's way
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    return value


class Variant(_Part):
    key: Line
    name: Line | None = None
    description: str = ""
    attachment: Annotated[JsonValue, AfterValidator(_object_or_list)] = None
    default: bool = False

    @property
    def written_attachment(self) -> str:
        """The attachment as the server keeps it: JSON without spaces, "" where there is none."""
        if self.attachment is None:
            return ""
        return json.dumps(self.attachment, separators=(",", ":"), ensure_ascii=False)


class Flag(_Part):
    key: Key
    name: Line
    type: Literal["BOOLEAN_FLAG_TYPE", "VARIANT_FLAG_TYPE"] = "VARIANT_FLAG_TYPE"
    description: str = ""
    enabled: bool = False
    metadata: dict[str, str | int | bool | float] = {}
    variants: list[Variant] = []
    rules: list[Rule] = []
    rollouts: list[Rollout] = []

    @model_validator(mode="after")
    def _is_of_one_piece(self) -> Self:
        if self.rollouts and self.type != "BOOLEAN_FLAG_TYPE":
            raise ValueError(f"flag {self.key!r} has rollouts, and no type: BOOLEAN_FLAG_TYPE")
        _no_twice("variant", [variant.key for variant in self.variants])
        known = {variant.key for variant in self.variants}
        for rule in self.rules:
            for share in rule.distributions:
                if share.variant not in known:
                    raise ValueError(f"flag {self.key!r} has no variant {share.variant!r}")
        return self


class NamespaceDetails(_Part):
    key: Key = "default"
    name: Line | None = None
    description: str = ""


def _as_details(value: Any) -> Any:
    return {"key": value} if isinstance(value, str) else value


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, float) else value


class Features(_Part):
    """One document of the file; a file may have several, for one namespace or more."""

    version: Annotated[Literal["1.0", "1.1", "1.2", "1.3", "1.4"], BeforeValidator(_as_text)] = (
        "1.4"
    )
    namespace: Annotated[NamespaceDetails, BeforeValidator(_as_details)] = NamespaceDetails()
    flags: list[Flag] = []
    segments: list[Segment] = []

    @model_validator(mode="after")
    def _has_what_its_version_has(self) -> Self:
        later = [name for name, version in SINCE.items() if version > self.version]
        for flag in self.flags:
            written = set(flag.model_fields_set).union(*(v.model_fields_set for v in flag.variants))
            for name in later:
                if name in written:
                    raise ValueError(
                        f"flag {flag.key!r} uses {name!r}, new in version {SINCE[name]}"
                    )
        return self

    def __add__(self, other: "Features") -> "Features":
        """Both, as Flipt reads two documents for one namespace."""
        return Features(
            namespace=self.namespace,
            flags=[*self.flags, *other.flags],
            segments=[*self.segments, *other.segments],
        )

    def checked(self) -> Self:
        """The same. Raises ValueError for a name that stands twice, or leads nowhere."""
        _no_twice("flag", [flag.key for flag in self.flags])
        _no_twice("segment", [segment.key for segment in self.segments])
        known = {segment.key for segment in self.segments}
        for flag in self.flags:
            for key in _segments_of(flag):
                if key not in known:
                    raise ValueError(f"flag {flag.key!r} names the segment {key!r}, which is none")
        return self

    def document(self) -> wire.Document:
        """What Flipt's server would send."""
        segments = {segment.key: segment.document() for segment in self.segments}
        return wire.Document(
            namespace=wire.Namespace(key=self.namespace.key),
            flags=[_flag(flag, segments) for flag in self.flags],
        )


def load(path: Path, *, namespace: str = "default") -> wire.Document:
    """The flags that a features file has for a namespace; one that `manage.py flags` saved, too.

    Raises:
        FlagsError: the file can't be read, is not in Flipt's format, or has no such namespace.
    """
    found = _read(path, namespace)
    return found.document() if isinstance(found, Features) else found


def variants(path: Path, *, namespace: str = "default") -> dict[str, frozenset[str]]:
    """The variants of each flag with variants, also those that no rule gives. Raises as `load`."""
    found = _read(path, namespace)
    if isinstance(found, Features):
        return {
            flag.key: frozenset(variant.key for variant in flag.variants)
            for flag in found.flags
            if flag.type == "VARIANT_FLAG_TYPE"
        }
    return {flag.key: _given(flag) for flag in found.flags if not flag.is_boolean}


def _given(flag: wire.Flag) -> frozenset[str]:
    shares = (share.variant_key for rule in flag.rules for share in rule.distributions)
    return frozenset([*shares, *([flag.default_variant.key] if flag.default_variant else [])])


def _read(path: Path, namespace: str) -> "Features | wire.Document":
    problem = ""
    try:
        text = path.read_text(encoding="utf-8")
        namespaces = saved.loaded(text) or _namespaces(text)
        if namespace in namespaces:
            return namespaces[namespace]
        problem = f"has no namespace {namespace!r}, but {', '.join(map(repr, namespaces))}"
    except OSError as error:
        problem = f"can't be read: {error.strerror}"
    except yaml.YAMLError as error:
        problem = f"is not YAML: {' '.join(str(error).split())}"
    except UnicodeDecodeError:
        problem = "is not text in UTF-8"
    except RecursionError:
        problem = "is nested too deeply"
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = _place(*fault["loc"])
        problem = f"is not in Flipt's format: {where}: {fault['msg'].removeprefix('Value error, ')}"
    except ValueError as error:
        problem = f"is not in Flipt's format: {error}"
    raise FlagsError(
        f"The features file {path} {problem}.",
        remedy="correct the file; FLIPT_FEATURES names it, FLIPT_NAMESPACE the namespace.",
    )


_FILE = TypeAdapter(list[Features])


def _namespaces(text: str) -> dict[str, Features]:
    parts = [{} if part is None else part for part in documents(text)]
    found: dict[str, Features] = {}
    for features in _FILE.validate_python(parts):
        key = features.namespace.key
        # Checked as it grows: a flag knows the segments of its own document and of earlier ones.
        found[key] = (found[key] + features if key in found else features).checked()
    return found or {"default": Features()}


def _place(number: int | str, *within: int | str) -> str:
    document = f"document {int(number) + 1}" if number else ""
    return ", ".join(filter(None, (document, ".".join(map(str, within))))) or "the file"


def _flag(flag: Flag, segments: Mapping[str, wire.Segment]) -> wire.Flag:
    variants = {variant.key: variant for variant in flag.variants}
    default = next((variant for variant in reversed(flag.variants) if variant.default), None)
    return wire.Flag(
        key=flag.key,
        name=flag.name,
        description=flag.description,
        type=flag.type,
        enabled=flag.enabled,
        default_variant=default
        and wire.DefaultVariant(key=default.key, attachment=default.written_attachment),
        rules=[
            wire.Rule(
                segment_operator=rule.segment.operator or "OR_SEGMENT_OPERATOR",
                segments=[segments[key] for key in rule.segment.keys],
                distributions=[
                    wire.Distribution(
                        variant_key=share.variant,
                        variant_attachment=variants[share.variant].written_attachment,
                        rollout=share.rollout,
                    )
                    for share in rule.distributions
                ],
            )
            for rule in flag.rules  # in the file's order: Flipt passes over `rank` here
        ],
        rollouts=[_rollout(rollout, segments) for rollout in flag.rollouts],
    )


def _rollout(rollout: Rollout, segments: Mapping[str, wire.Segment]) -> wire.Rollout:
    if rollout.segment is not None:
        choice = rollout.segment
        return wire.Rollout(
            segment=wire.SegmentRollout(
                value=choice.value,
                segment_operator=choice.operator or "OR_SEGMENT_OPERATOR",
                segments=[segments[key] for key in choice.keys],
            )
        )
    return wire.Rollout(threshold=wire.ThresholdRollout(**dict(rollout.threshold or ())))


def _segments_of(flag: Flag) -> Iterator[str]:
    for rollout in flag.rollouts:
        if rollout.segment is not None:
            yield from rollout.segment.keys
    for rule in flag.rules:
        yield from rule.segment.keys


def _no_twice(kind: str, keys: list[str]) -> None:
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"{kind} {key!r} stands twice")
