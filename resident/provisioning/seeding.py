"""A features file put into Flipt: what is missing is created, what stands is left alone.

Somebody may have switched a flag on in Flipt since the file was written. So nothing that
stands is ever overwritten; where it differs from the file, that is told.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

from resident.exceptions import ProvisionError
from resident.provisioning.features import (
    Constraint,
    Flag,
    Namespace,
    Rollout,
    Rule,
    Segment,
    Variant,
)
from resident.provisioning.flipt import FliptManagement, segment
from resident.provisioning.report import Step

# Default variants and metadata came with this version; before it, Flipt drops both unsaid.
_DEFAULTS_AND_METADATA = (1, 47)

# The values of other fields may be long, and are not shown.
_SHOWN = frozenset({"name", "type", "enabled", "match_type"})

_DEFAULT_NAMESPACE = "default"


def seed(flipt: FliptManagement, namespaces: Iterable[Namespace]) -> Iterator[Step]:
    """Put each namespace into Flipt: segments before the flags that name them.

    Raises:
        ProvisionError: Flipt refuses, or the file names a variant that the flag lacks.
    """
    for wanted in namespaces:
        yield _namespace(flipt, wanted)
        for audience in wanted.segments:
            yield from _SegmentSeeder(flipt, wanted.key, audience).steps()
        for flag in wanted.flags:
            yield from _FlagSeeder(flipt, wanted.key, _holdable(flipt, flag), flag).steps()


def _namespace(flipt: FliptManagement, wanted: Namespace) -> Step:
    what = f"namespace {wanted.key}"
    found = flipt.find(f"/namespaces/{segment(wanted.key)}", what)
    told = {"name": wanted.name, "description": wanted.description}
    if found is None:
        body = {"name": wanted.key} | {name: text for name, text in told.items() if text}
        flipt.create("/namespaces", what, {"key": wanted.key} | body)
        return Step(what, "created")
    return _compared(
        what, [name for name, text in told.items() if text not in (None, found.get(name))]
    )


@dataclass(frozen=True, slots=True)
class _SegmentSeeder:
    flipt: FliptManagement
    namespace: str
    wanted: Segment

    @property
    def _label(self) -> str:
        return f"segment {_label(self.namespace, self.wanted.key)}"

    def steps(self) -> Iterator[Step]:
        segments = f"/namespaces/{segment(self.namespace)}/segments"
        path = f"{segments}/{segment(self.wanted.key)}"
        found = self.flipt.find(path, self._label)
        if found is None:
            found = self.flipt.create(segments, self._label, self.wanted.body())
            yield Step(self._label, "created")
        else:
            yield _compared(self._label, _differences(Segment.standing(found), self.wanted))
        yield from self._constraints(Segment.standing(found).constraints, path)

    def _constraints(self, standing: tuple[Constraint, ...], path: str) -> Iterator[Step]:
        """They have no order, but one that is not in the file may be one of it, changed."""
        what = f"constraints of {self._label}"
        wanted = self.wanted.constraints
        if not set(standing) <= set(wanted):
            yield _left_alone(what, len(standing), len(wanted))
            return
        missing = [constraint for constraint in wanted if constraint not in standing]
        for constraint in missing:
            self.flipt.create(f"{path}/constraints", what, constraint.body())
        yield from _added(what, len(missing), len(standing), len(wanted))


@dataclass(frozen=True, slots=True)
class _FlagSeeder:
    """One flag; `wanted` is what this Flipt can hold of what the `file` says."""

    flipt: FliptManagement
    namespace: str
    wanted: Flag
    file: Flag

    @property
    def _label(self) -> str:
        return f"flag {_label(self.namespace, self.wanted.key)}"

    @property
    def _flags(self) -> str:
        return f"/namespaces/{segment(self.namespace)}/flags"

    @property
    def _path(self) -> str:
        return f"{self._flags}/{segment(self.wanted.key)}"

    def steps(self) -> Iterator[Step]:
        found = self.flipt.find(self._path, self._label)
        if found is None:
            found = self.flipt.create(self._flags, self._label, self.wanted.body())
            yield Step(self._label, "created")
        else:
            yield _compared(self._label, _differences(Flag.standing(found), self.wanted))
        if Flag.standing(found).type != self.wanted.type:
            # What the file has below it fits the other type only.
            return
        yield from self._below(found)

    def _below(self, found: dict[str, Any]) -> Iterator[Step]:
        ids = {variant["key"]: variant["id"] for variant in found.get("variants") or ()}
        yield from self._metadata()
        yield from self._variants(Flag.standing(found), ids)
        yield from self._default(ids)
        yield from self._rules(ids)
        yield from self._rollouts()

    def _metadata(self) -> Iterator[Step]:
        if self.file.metadata != self.wanted.metadata:
            yield _too_old(self.flipt, f"metadata of {self._label}")

    def _variants(self, standing: Flag, ids: dict[str, str]) -> Iterator[Step]:
        """Each variant; the id of one that is created joins the others."""
        there = {variant.key: variant for variant in standing.variants}
        for variant in self.wanted.variants:
            what = f"variant {variant.key} of {self._label}"
            if variant.key in there:
                yield _compared(what, _differences(there[variant.key], variant))
            else:
                ids[variant.key] = self._create_variant(what, variant)
                yield Step(what, "created")

    def _create_variant(self, what: str, variant: Variant) -> str:
        created = self.flipt.create(f"{self._path}/variants", what, variant.body())
        return str(created["id"])

    def _default(self, ids: dict[str, str]) -> Iterator[Step]:
        what = f"default variant of {self._label}"
        if self.file.default != self.wanted.default:
            yield _too_old(self.flipt, what)
        if self.wanted.default is None:
            return
        # Read again, because it is written back: that must not undo what somebody did since.
        flag = Flag.standing(self.flipt.find(self._path, what) or self.wanted.body())
        if flag.default is None:
            own = {key: value for key, value in flag.body().items() if key != "metadata"}
            body = own | {"defaultVariantId": ids[self.wanted.default]}
            self.flipt.update(self._path, what, body)
            yield Step(what, "created")
        else:
            same = flag.default == self.wanted.default
            yield _compared(what, [] if same else [_both(flag.default, self.wanted.default)])

    def _rules(self, ids: dict[str, str]) -> Iterator[Step]:
        what = f"rules of {self._label}"
        self._check_variants(ids)
        wanted = self.wanted.rules
        keys = {known: key for key, known in ids.items()}
        found = self.flipt.list(f"{self._path}/rules", what)
        standing = [Rule.standing(rule, keys) for rule in found]
        if not _begins(standing, wanted):
            yield _left_alone(what, len(standing), len(wanted))
            return
        touched = 0
        for rule, there, whole in zip(found, standing, wanted, strict=False):
            touched += self._distribute(whole, rule["id"], set(there.distributions), ids)
        for rank, whole in enumerate(wanted[len(standing) :], start=_next_rank(found)):
            body = whole.audience.body() | {"rank": rank}
            created = self.flipt.create(f"{self._path}/rules", what, body)
            self._distribute(whole, created["id"], set(), ids)
            touched += 1
        yield from _added(what, touched, len(standing), len(wanted))

    def _check_variants(self, ids: dict[str, str]) -> None:
        for rule in self.wanted.rules:
            for variant in rule.distributions.keys() - ids.keys():
                raise ProvisionError(
                    f"A rule of {self._label} hands out {variant}, which is no variant of it.",
                    remedy="Add the variant to the features file, or correct the rule there.",
                )

    def _distribute(self, rule: Rule, rule_id: str, there: set[str], ids: dict[str, str]) -> bool:
        """Create the distributions that are not there; True where any was missing.

        In the order of the file: Flipt cuts its buckets in the order of creation.
        """
        missing = [variant for variant in rule.distributions if variant not in there]
        for variant in missing:
            self.flipt.create(
                f"{self._path}/rules/{segment(rule_id)}/distributions",
                f"distributions of {self._label}",
                {"variantId": ids[variant], "rollout": rule.distributions[variant]},
            )
        return bool(missing)

    def _rollouts(self) -> Iterator[Step]:
        what = f"rollouts of {self._label}"
        wanted = self.wanted.rollouts
        found = self.flipt.list(f"{self._path}/rollouts", what)
        standing = tuple(map(Rollout.standing, found))
        if standing != wanted[: len(standing)]:
            yield _left_alone(what, len(standing), len(wanted))
            return
        missing = wanted[len(standing) :]
        for rank, rollout in enumerate(missing, start=_next_rank(found)):
            self.flipt.create(f"{self._path}/rollouts", what, rollout.body() | {"rank": rank})
        yield from _added(what, len(missing), len(standing), len(wanted))


def _holdable(flipt: FliptManagement, flag: Flag) -> Flag:
    if flipt.since(*_DEFAULTS_AND_METADATA):
        return flag
    return replace(flag, metadata={}, default=None)


def _too_old(flipt: FliptManagement, what: str) -> Step:
    first = ".".join(map(str, _DEFAULTS_AND_METADATA))
    return Step(what, "skipped", f"Flipt {flipt.version} can't hold it; {first} and later can")


def _begins(standing: list[Rule], wanted: tuple[Rule, ...]) -> bool:
    """Whether what stands is the beginning of what is wanted, cut off anywhere."""
    pairs = zip(standing, wanted, strict=False)
    return len(standing) <= len(wanted) and all(there.begins(whole) for there, whole in pairs)


def _next_rank(found: list[dict[str, Any]]) -> int:
    return max((int(item.get("rank", 0)) for item in found), default=0) + 1


def _label(namespace: str, key: str) -> str:
    return key if namespace == _DEFAULT_NAMESPACE else f"{namespace}/{key}"


def _differences(standing: Any, wanted: Any) -> list[str]:
    """What two things of one class differ in, with the values where they are short."""
    notes = []
    for each in fields(wanted):
        there, here = getattr(standing, each.name), getattr(wanted, each.name)
        if each.compare and there != here:
            shown = each.name in _SHOWN
            notes.append(f"{each.name} {_both(there, here)}" if shown else each.name)
    return notes


def _both(standing: Any, wanted: Any) -> str:
    return f"{_plain(standing)} in Flipt, {_plain(wanted)} in the file"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _compared(what: str, differences: list[str]) -> Step:
    if not differences:
        return Step(what, "stands")
    return Step(what, "differs", f"{'; '.join(differences)}; left alone")


def _left_alone(what: str, standing: int, wanted: int) -> Step:
    return Step(
        what, "differs", f"{standing} in Flipt, {wanted} in the file, not the same; left alone"
    )


def _added(what: str, added: int, standing: int, wanted: int) -> Iterator[Step]:
    """What became of a list; nothing where there is none."""
    if not added:
        yield from [Step(what, "stands")] if wanted else []
    elif not standing:
        yield Step(what, "created")
    else:
        yield Step(what, "updated", f"{added} of {wanted} completed")
