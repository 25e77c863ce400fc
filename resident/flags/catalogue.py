"""`flags`: all flags of a namespace at once."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from django.http import HttpRequest

from resident.conf import conf
from resident.flags.asking import NOT_OVERRIDDEN, failures, snapshot_of, tell
from resident.flags.context import subject_of
from resident.flags.document import Flag
from resident.flags.engine import Variant
from resident.flags.evaluation import flag_enabled, flag_variant
from resident.flags.overrides import overrides
from resident.flags.snapshot import Snapshot
from resident.flags.subject import Subject
from resident.signals import flag_evaluated

__all__ = ["flags"]

ALL = "*"  # no flag has this key


def flags(
    request: HttpRequest | None = None,
    *,
    entity_id: str | None = None,
    context: Mapping[str, Any] | None = None,
    namespace: str | None = None,
) -> Mapping[str, bool | Variant | None]:
    """All flags of a namespace, by key, as one snapshot has them; each is evaluated when read.

    A boolean flag is True or False, one with variants its variant or None. The arguments are those
    of `flag_enabled`. Where the flags can't be had there are none, and the log says why, once.
    """
    snapshot = None
    try:
        namespace = namespace or conf.flipt_namespace
        snapshot = snapshot_of(namespace)
    except Exception as error:  # noqa: BLE001 - whatever it is, the request goes on
        failures.tell(ALL, error)
    return Flags(snapshot, namespace or "", request, entity_id, context)


class Flags(Mapping[str, bool | Variant | None]):
    """All flags, as they are for somebody; lives as long as who asked for them."""

    def __init__(
        self,
        snapshot: Snapshot | None,
        namespace: str,
        request: HttpRequest | None,
        entity_id: str | None,
        context: Mapping[str, Any] | None,
    ) -> None:
        self._snapshot = snapshot
        self._namespace = namespace
        self._request = request
        self._asked = (entity_id, context)

    def __getitem__(self, key: str) -> bool | Variant | None:
        value = overrides.of(key, self._namespace, NOT_OVERRIDDEN)
        answer = self._answer(key) if value is NOT_OVERRIDDEN else cast("Any", value)
        if flag_evaluated.receivers:
            asked = flag_enabled if isinstance(answer, bool) else flag_variant
            about = {"request": self._request, "default": None, "namespace": self._namespace}
            tell(asked, key, answer, **about)
        return answer

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys())

    def __len__(self) -> int:
        return len(self._keys())

    def __repr__(self) -> str:
        return f"<Flags of {self._namespace!r}: {', '.join(self._keys())}>"

    def _keys(self) -> list[str]:
        own = self._snapshot.flags if self._snapshot else {}
        places = [place.rpartition("/") for place in overrides.values]
        added = {key for namespace, _, key in places if namespace in {"", self._namespace}}
        return sorted({*own, *added})

    def _answer(self, key: str) -> bool | Variant | None:
        if self._snapshot is None:
            raise KeyError(key)
        flag = self._snapshot.flags[key]
        try:
            return self._evaluated(self._snapshot, flag)
        except Exception as error:  # noqa: BLE001 - as above
            failures.tell(key, error)
            return False if flag.is_boolean else None

    def _evaluated(self, snapshot: Snapshot, flag: Flag) -> bool | Variant | None:
        def asked() -> Subject:
            return subject_of(flag, self._request, *self._asked)

        if flag.is_boolean:
            return snapshot.boolean(flag.key, asked, default=False)
        return snapshot.variant(flag.key, asked, default=None)
