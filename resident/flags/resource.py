"""The flag client as a resource of the worker."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from resident.conf import conf
from resident.exceptions import ConfigurationError
from resident.flags.client import FlagClient
from resident.flags.flipt import Flipt, TokenType
from resident.flags.known import LastKnown
from resident.flags.snapshot import Snapshot
from resident.flags.sources import FeaturesFile, Fetch, Nowhere, Source
from resident.secrets import Secret
from resident.worker import Worker, depends_on, worker

__all__ = ["current", "flags"]


@depends_on("flipt_api_host", "flipt_api_token")
def flags(worker: Worker) -> Iterator[FlagClient]:
    """The second resource of every worker: the flags of Flipt, or of the features file.

    Flipt's host and token are the secrets `flipt_api_host` and `flipt_api_token`. Where they name
    no host, the features file serves the flags; where there is none either, defaults do. When
    host or token change, another client takes over.
    """
    client = _client(worker)
    try:
        client.start()
        yield client
    finally:
        client.close()


def current() -> Mapping[str, Snapshot]:
    """The snapshots by namespace: in a request as they were when it first asked, else the latest.

    A request keeps them to its last byte, in all threads that run in its context.
    Raises as the resource does where it can't be opened.
    """
    return worker.kept(flags, _snapshots)


def _snapshots(client: FlagClient) -> Mapping[str, Snapshot]:
    return client.snapshots


def _client(worker: Worker) -> FlagClient:
    # What takes over goes on where the one before it was, and needs no stand-in.
    before = worker.get(flags) if worker.is_open(flags) else None
    namespaces = conf.flipt_namespaces
    host = worker.secrets.get("flipt_api_host")
    if not host:
        return FlagClient(
            [_local(namespace) for namespace in namespaces],
            interval=conf.features_interval,
            deadline=conf.flags_deadline,
            before=before,
            memo=conf.flags_memo,
        )
    token = worker.secrets.get("flipt_api_token")
    return FlagClient(
        [_flipt(host.reveal(), token, namespace) for namespace in namespaces],
        interval=conf.flags_interval,
        deadline=conf.flags_deadline,
        before=before,
        known=_known(host.reveal(), namespaces),
        fallbacks={} if before else _fallbacks(namespaces),
        memo=conf.flags_memo,
    )


def _flipt(url: str, token: Secret | None, namespace: str) -> Flipt:
    return Flipt(
        url=url,
        token=token,
        token_type=cast("TokenType", conf.flipt_token_type),
        namespace=namespace,
        environment=conf.flipt_environment,
        timeout=conf.flags_timeout,
        fetch=cast("Fetch", conf.flags_fetch),
        ca=conf.flipt_ca,
        client_cert=conf.flipt_client_cert,
        client_key=conf.flipt_client_key,
    )


def _local(namespace: str) -> Source:
    if conf.features is None:
        return Nowhere(namespace=namespace)
    return FeaturesFile(Path(conf.features), namespace=namespace)


def _known(url: str, namespaces: Sequence[str]) -> Mapping[str, LastKnown]:
    if conf.flags_last_known is None:
        return {}
    directory, environment = Path(conf.flags_last_known), conf.flipt_environment
    return {
        it: LastKnown(directory, url=url, environment=environment, namespace=it)
        for it in namespaces
    }


def _fallbacks(namespaces: Sequence[str]) -> Mapping[str, Source]:
    if conf.flags_fallback == "defaults":
        return {it: Nowhere(namespace=it) for it in namespaces}
    if conf.flags_fallback == "features":
        if conf.features is None:
            raise ConfigurationError(
                "RESIDENT_FLAGS['FALLBACK'] is 'features', but there is no features file.",
                remedy="name the file in RESIDENT_FLAGS['FEATURES'].",
            )
        return {it: _local(it) for it in namespaces}
    return {}
