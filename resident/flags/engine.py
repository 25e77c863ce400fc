"""Flipt's own engine over one snapshot: offline, in this process."""

import base64
import json
import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar, Self

from flipt_client import FliptClient
from flipt_client.errors import FliptError
from flipt_client.models import ClientOptions, ErrorStrategy

from resident.exceptions import FlagsError
from resident.flags.document import Document, Flag

__all__ = ["Engine", "Variant"]

NOBODY = "anonymous"


class Variant(str):
    """The key of a variant, with what is attached to it.

    Attributes:
        attachment: the variant's JSON, parsed; None where it has none.
    """

    __slots__ = ("attachment",)

    attachment: Any

    def __new__(cls, key: str, attachment: str = "") -> Self:
        variant = super().__new__(cls, key)
        variant.attachment = json.loads(attachment) if attachment else None
        return variant


class Engine:
    """Evaluates the flags of one document; lives until the last request that uses it lets go.

    It never goes to the network. Nobody closes it: a request may be inside the engine while
    another document takes its place, so the last reference frees it.

    Attributes:
        flags: the flags that it knows, by key.
        constants: the answers of boolean flags that ask nobody who they are.

    Raises:
        FlagsError: the engine did not take the document.
    """

    def __init__(self, document: Document) -> None:
        self.flags: Mapping[str, Flag] = {flag.key: flag for flag in document.flags}
        self._client = _Client(_offline(document))
        self._check_loaded(document.namespace.key)
        self.constants: Mapping[str, bool] = {
            key: self.boolean(key, NOBODY, {})
            for key, flag in self.flags.items()
            if flag.is_boolean and flag.is_constant
        }

    def boolean(self, key: str, entity_id: str, context: Mapping[str, str]) -> bool:
        """Whether the boolean flag is on for the entity. Raises `FliptError`."""
        return bool(self._client.evaluate_boolean(key, entity_id, dict(context)).enabled)

    def variant(self, key: str, entity_id: str, context: Mapping[str, str]) -> Variant | None:
        """The variant that the entity gets; None where it gets none. Raises `FliptError`."""
        answer = self._client.evaluate_variant(key, entity_id, dict(context))
        if not answer.variant_key:
            return None
        return Variant(answer.variant_key, answer.variant_attachment)

    def _check_loaded(self, namespace: str) -> None:
        # The engine takes a snapshot that it can't read for an empty namespace, and says nothing.
        try:
            loaded = {flag.key for flag in self._client.list_flags()}
        except FliptError:
            loaded = set()  # then it does not know even the namespace
        if loaded != set(self.flags):
            raise FlagsError(
                f"Flipt's engine took {len(loaded)} of the {len(self.flags)} flags of "
                f"namespace {namespace!r}.",
                remedy="compare the versions of Flipt and of flipt-client.",
            )


class _Client(FliptClient):  # type: ignore[misc]
    """A client that is destroyed only in the process where the library was first used.

    The library's threads do not come along into a forked child: destroying an engine there, also
    one made there, waits for them for ever. Evaluating works.
    """

    home: ClassVar[int] = 0

    def __init__(self, options: ClientOptions) -> None:
        _Client.home = _Client.home or os.getpid()
        super().__init__(options)

    def close(self) -> None:
        if os.getpid() == _Client.home:
            super().close()
        else:
            self.engine = None


def _offline(document: Document) -> ClientOptions:
    snapshot = json.dumps(document.snapshot()).encode()
    return ClientOptions(
        url="",
        namespace=document.namespace.key,
        snapshot=base64.b64encode(snapshot).decode(),
        error_strategy=ErrorStrategy.FALLBACK,  # with FAIL a snapshot is not looked at
        update_interval=timedelta(days=36_500),
    )


EngineError = FliptError
