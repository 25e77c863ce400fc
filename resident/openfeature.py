"""A provider for OpenFeature's clients, over the flags of this worker. Needs `openfeature-sdk`.

    from openfeature import api
    from resident.openfeature import ResidentProvider

    api.set_provider(ResidentProvider())

Setting it opens nothing: the worker opens its flags as it always does.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider import AbstractProvider, Metadata

from resident.conf import conf
from resident.exceptions import ResidentError
from resident.flags.context import subject_of
from resident.flags.document import Flag
from resident.flags.engine import Variant
from resident.flags.overrides import overrides
from resident.flags.resource import current
from resident.flags.snapshot import Snapshot
from resident.flags.subject import Subject

if TYPE_CHECKING:
    # Version 0.8 has not yet got it there.
    from openfeature.flag_evaluation import FlagValueType

    Json = Sequence[FlagValueType] | Mapping[str, FlagValueType]

__all__ = ["ResidentProvider"]

logger = logging.getLogger("resident.flags")

T = TypeVar("T")
Value = bool | Variant | None


class ResidentProvider(AbstractProvider):
    """Resolves what OpenFeature's clients ask for; lives as long as it is set. It never raises.

    A boolean is what a boolean flag answers. A string is the key of a variant; an integer or a
    float is what is attached to it, or else its key read as one; an object is what is attached to
    it. The targeting key is the entity's id, and the other attributes are the context.

    Args:
        namespace: whose flags; None for the one that the settings name.
    """

    def __init__(self, namespace: str | None = None) -> None:
        super().__init__()
        self._namespace = namespace

    def get_metadata(self) -> Metadata:
        """What it is called."""
        return Metadata("resident")

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        """Whether a boolean flag is on."""
        return self._resolve(flag_key, default_value, evaluation_context, _boolean)

    def resolve_string_details(
        self,
        flag_key: str,
        default_value: str,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[str]:
        """The key of the variant that a flag gives."""
        return self._resolve(flag_key, default_value, evaluation_context, _string)

    def resolve_integer_details(
        self,
        flag_key: str,
        default_value: int,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[int]:
        """The whole number that a flag gives: attached to its variant, or its key."""
        return self._resolve(flag_key, default_value, evaluation_context, _integer)

    def resolve_float_details(
        self,
        flag_key: str,
        default_value: float,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[float]:
        """The number that a flag gives: attached to its variant, or its key."""
        return self._resolve(flag_key, default_value, evaluation_context, _float)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: "Json",
        evaluation_context: EvaluationContext | None = None,
    ) -> "FlagResolutionDetails[Json]":
        """What is attached to the variant that a flag gives."""
        return self._resolve(flag_key, default_value, evaluation_context, _object)

    def _resolve(
        self,
        key: str,
        default: T,
        context: EvaluationContext | None,
        convert: Callable[[bool | Variant], T],
    ) -> FlagResolutionDetails[T]:
        try:
            return self._resolved(key, default, context, convert)
        except _MismatchError as error:
            return _failed(default, ErrorCode.TYPE_MISMATCH, f"The flag {key!r} {error}.")
        except ResidentError as error:  # the worker can't open its flags
            logger.warning("flag %r gives its default: %s", key, error)
            return _failed(default, ErrorCode.PROVIDER_NOT_READY, error.problem)
        except Exception as error:
            logger.exception("flag %r gives its default", key)
            return _failed(default, ErrorCode.GENERAL, type(error).__name__)

    def _resolved(
        self,
        key: str,
        default: T,
        context: EvaluationContext | None,
        convert: Callable[[bool | Variant], T],
    ) -> FlagResolutionDetails[T]:
        namespace = self._namespace or conf.flipt_namespace
        overridden = overrides.of(key, namespace, _NOTHING) if overrides.values else _NOTHING
        if not isinstance(overridden, _Nothing):
            return _found(overridden, default, convert, Reason.STATIC)
        snapshot = current().get(namespace)
        if snapshot is None or key not in snapshot.flags:
            problem = f"The flag {key!r} is unknown to the namespace {namespace!r}."
            return _failed(default, ErrorCode.FLAG_NOT_FOUND, problem)
        flag = snapshot.flags[key]
        subject = _subject(flag, context)
        reason = _reason(flag, *snapshot.reason(key, subject))
        found = _found(_answer(snapshot, flag, subject), default, convert, reason)
        found.flag_metadata = {"namespace": namespace, "version": snapshot.version}
        return found


class _Nothing:
    """Stands for no override: None is one."""


_NOTHING = _Nothing()


class _MismatchError(Exception):
    """The flag's answer is of another type than what is asked for."""


def _found(
    value: Value, default: T, convert: Callable[[bool | Variant], T], reason: Reason
) -> FlagResolutionDetails[T]:
    """What was found; the default where the flag gives no variant."""
    if value is None:
        return FlagResolutionDetails(default, reason=reason)
    variant = str(value) if isinstance(value, Variant) else None
    return FlagResolutionDetails(convert(value), reason=reason, variant=variant)


def _failed(default: T, code: ErrorCode, problem: str) -> FlagResolutionDetails[T]:
    return FlagResolutionDetails(
        default, error_code=code, error_message=problem, reason=Reason.ERROR
    )


def _subject(flag: Flag, context: EvaluationContext | None) -> Subject:
    context = context or EvaluationContext()
    return subject_of(flag, None, context.targeting_key, context.attributes)


def _answer(snapshot: Snapshot, flag: Flag, subject: Subject) -> Value:
    if flag.is_boolean:
        return snapshot.boolean(flag.key, lambda: subject, default=False)
    return snapshot.variant(flag.key, lambda: subject, default=None)


def _reason(flag: Flag, reason: str, segments: Sequence[str]) -> Reason:
    if "DISABLED" in reason:
        return Reason.DISABLED
    if flag.is_constant:
        return Reason.STATIC
    if "MATCH" not in reason:
        return Reason.DEFAULT
    return Reason.TARGETING_MATCH if segments else Reason.SPLIT


def _boolean(value: bool | Variant) -> bool:
    if isinstance(value, bool):
        return value
    raise _MismatchError("gives variants, and is not on or off")


def _variant(value: bool | Variant) -> Variant:
    if isinstance(value, Variant):
        return value
    raise _MismatchError("is on or off, and gives no variant")


def _string(value: bool | Variant) -> str:
    return str(_variant(value))


def _integer(value: bool | Variant) -> int:
    number = _number(value, int)
    if isinstance(number, int):
        return number
    raise _MismatchError(f"gives {number!r}, which is no whole number")


def _float(value: bool | Variant) -> float:
    return float(_number(value, float))


def _number(value: bool | Variant, read: Callable[[str], float]) -> Any:
    variant = _variant(value)
    if isinstance(variant.attachment, int | float) and not isinstance(variant.attachment, bool):
        return variant.attachment
    try:
        return read(variant)
    except ValueError:
        raise _MismatchError(f"gives {str(variant)!r}, which is no number") from None


def _object(value: bool | Variant) -> "Json":
    attachment = _variant(value).attachment
    if isinstance(attachment, dict | list):
        return attachment
    raise _MismatchError(f"gives {str(value)!r}, to which no object is attached")
