"""Flipt's own engine over one snapshot: offline, in this process."""

import base64
import ctypes
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, ClassVar, Self

from flipt_client import FliptClient
from flipt_client.errors import FliptError
from flipt_client.models import ClientOptions, ErrorStrategy, EvaluationRequest

from resident.exceptions import FlagsError
from resident.flags.document import Document, Flag
from resident.flags.subject import Subject

__all__ = ["NOBODY", "Engine", "EngineError", "Variant"]

NOBODY = "anonymous"
EngineError = FliptError
AT_ONCE = 100  # flags; more calls give other threads their turn more often, and take turns longer


class Variant(str):
    """The key of a variant, with what is attached to it: JSON, "" for none."""

    __slots__ = ("_attachment",)

    _attachment: str

    def __new__(cls, key: str, attachment: str = "") -> Self:
        variant = super().__new__(cls, key)
        variant._attachment = attachment
        return variant

    @property
    def attachment(self) -> Any:
        """The variant's JSON, parsed; None where it has none.

        Parsed anew each time: many requests get the same variant, and one may change what it gets.
        """
        return json.loads(self._attachment) if self._attachment else None


class Engine:
    """Evaluates the flags of one document; lives until the last request that uses it lets go.

    It never goes to the network. Nobody closes it: a request may be inside the engine while
    another document takes its place, so the last reference frees it.

    Attributes:
        flags: the flags that it knows, by key.
        constants: the answers of flags that ask nobody who they are.

    Raises:
        FlagsError: the engine did not take the document.
    """

    def __init__(self, document: Document) -> None:
        self.flags: Mapping[str, Flag] = document.by_key
        self._client = _Client(_offline(document))
        self._check_loaded(document.namespace.key)
        self.constants: Mapping[str, bool | Variant | None] = dict(self._constants())

    def evaluate(self, key: str, subject: Subject) -> bool | Variant | None:
        """What the flag, which must be one of `flags`, gives. Raises `EngineError`."""
        ask = self.boolean if self.flags[key].is_boolean else self.variant
        return ask(key, subject.entity_id, subject.context)

    def boolean(self, key: str, entity_id: str, context: Mapping[str, str]) -> bool:
        """Whether the boolean flag is on for the entity. Raises `EngineError`."""
        client = self._client
        answer = client.told(client.ffi_core.evaluate_boolean, key, entity_id, context)
        enabled: bool = answer["enabled"]
        return enabled

    def variant(self, key: str, entity_id: str, context: Mapping[str, str]) -> Variant | None:
        """The variant that the entity gets; None where it gets none. Raises `EngineError`."""
        client = self._client
        answer = client.told(client.ffi_core.evaluate_variant, key, entity_id, context)
        return _variant(answer["variant_key"], answer.get("variant_attachment", ""))

    def reason(self, key: str, subject: Subject) -> tuple[str, tuple[str, ...]]:
        """Why it gives that: a word ("MATCH", "DEFAULT"), and the segments that matched.

        Raises `EngineError`.
        """
        client, is_boolean = self._client, self.flags[key].is_boolean
        ask = client.ffi_core.evaluate_boolean if is_boolean else client.ffi_core.evaluate_variant
        answer = client.told(ask, key, subject.entity_id, subject.context)
        # The engine's order is another in every snapshot, and means nothing.
        segments = tuple(sorted(answer["segment_keys"]))
        return answer["reason"].removesuffix("_EVALUATION_REASON"), segments

    def _constants(self) -> Iterator[tuple[str, bool | Variant | None]]:
        keys = [key for key, flag in self.flags.items() if flag.is_constant]
        for begin in range(0, len(keys), AT_ONCE):
            some = keys[begin : begin + AT_ONCE]
            try:
                yield from self._together(some)
            except EngineError:  # one of them can't be evaluated
                yield from self._each(some)

    def _together(self, keys: Sequence[str]) -> list[tuple[str, bool | Variant | None]]:
        """What these give to everybody. Raises `EngineError` if one of them can't be evaluated."""
        requests = [EvaluationRequest(flag_key=it, entity_id=NOBODY, context={}) for it in keys]
        answers = self._client.evaluate_batch(requests).responses
        return [(key, _value(answer)) for key, answer in zip(keys, answers, strict=True)]

    def _each(self, keys: Sequence[str]) -> Iterator[tuple[str, bool | Variant | None]]:
        nobody = Subject(NOBODY)
        for key in keys:
            with suppress(EngineError):  # then it says so when it is asked
                yield key, self.evaluate(key, nobody)

    def _check_loaded(self, namespace: str) -> None:
        # The engine takes a snapshot that it can't read for an empty namespace, and says nothing.
        loaded = self._client.keys()
        if loaded != set(self.flags):
            raise FlagsError(
                f"Flipt's engine took {len(loaded)} of the {len(self.flags)} flags of "
                f"namespace {namespace!r}.",
                remedy="compare the versions of Flipt and of flipt-client.",
            )


class _Client(FliptClient):  # type: ignore[misc]
    """The library's client, with its C functions asked without the models around them.

    These cost more than the engine's own answer, and make objects of thousands of flags at a time.
    It is destroyed only in the process where the library was first used: the library's threads do
    not come along into a forked child, where destroying an engine, also one made there, waits for
    them for ever. Evaluating works.
    """

    home: ClassVar[int] = 0

    def __init__(self, options: ClientOptions) -> None:
        _Client.home = _Client.home or os.getpid()
        super().__init__(options)

    def told(
        self, ask: Callable[..., Any], key: str, entity_id: str, context: Mapping[str, str]
    ) -> dict[str, Any]:
        """What one of the functions that evaluate answers. Raises `EngineError`."""
        if not entity_id.strip() or not key.strip():
            raise EngineError("the entity's id is blank" if key.strip() else "its key is blank")
        asked = {
            "namespace_key": self.namespace_key,
            "flag_key": key,
            "entity_id": entity_id,
            "context": dict(context) if context else {},
        }
        try:
            written = _written(asked).encode()
        except ValueError as error:  # half a surrogate in a header
            raise EngineError(f"the engine can't be asked so: {error}") from None
        told = self._read(ask(self.engine, written))
        if told["status"] != "success":
            raise EngineError(told["error_message"])
        result: dict[str, Any] = told["result"]
        return result

    def keys(self) -> set[str]:
        """The keys of its flags; none where it does not know even the namespace."""
        listed = self._read(self.ffi_core.list_flags(self.engine))["result"]
        return {flag["key"] for flag in listed or ()}

    def close(self) -> None:
        if os.getpid() == _Client.home:
            super().close()
        else:
            self.engine = None

    def _read(self, answer: Any) -> dict[str, Any]:
        told: dict[str, Any] = _told(ctypes.string_at(answer).decode())[0]
        self.ffi_core.destroy_string(answer)
        return told


# Without what json does besides, for documents of others: half a microsecond each.
_written = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode
_told = json.JSONDecoder().raw_decode


def _value(answer: Any) -> bool | Variant | None:
    """What one answer of a batch gives."""
    if answer.boolean_evaluation_response is not None:
        return bool(answer.boolean_evaluation_response.enabled)
    variant = answer.variant_evaluation_response
    return _variant(variant.variant_key, variant.variant_attachment)


def _variant(key: str, attachment: str) -> Variant | None:
    return Variant(key, attachment) if key else None


def _offline(document: Document) -> ClientOptions:
    return ClientOptions(
        url="",
        namespace=document.namespace.key,
        snapshot=base64.b64encode(document.snapshot()).decode(),
        error_strategy=ErrorStrategy.FALLBACK,  # with FAIL a snapshot is not looked at
        update_interval=timedelta(days=36_500),
    )
