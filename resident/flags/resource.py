"""The flag client as a resource of the worker."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from resident.conf import conf
from resident.exceptions import ConfigurationError
from resident.flags import features
from resident.flags.client import FlagClient
from resident.flags.document import Document
from resident.flags.snapshot import Snapshot
from resident.flags.sources import FeaturesFile, Flipt, Source
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
    host = worker.secrets.get("flipt_api_host")
    if not host:
        interval, deadline = conf.features_interval, conf.flags_deadline
        return FlagClient(_local_source(), interval=interval, deadline=deadline)
    source = Flipt(
        url=host.reveal(),
        token=worker.secrets.get("flipt_api_token"),
        namespace=conf.flipt_namespace,
        environment=conf.flipt_environment,
        timeout=conf.flags_timeout,
    )
    # A client that takes over has to have flags: until it has, the one before serves them.
    fallback = None if worker.is_open(flags) else _fallback()
    return FlagClient(
        source, interval=conf.flags_interval, deadline=conf.flags_deadline, fallback=fallback
    )


def _local_source() -> Source:
    if conf.features is None:
        return _Nowhere()
    return FeaturesFile(Path(conf.features), namespace=conf.flipt_namespace)


def _fallback() -> Callable[[], Document] | None:
    if conf.flags_fallback == "features":
        if conf.features is None:
            raise ConfigurationError(
                "RESIDENT_FLAGS['FALLBACK'] is 'features', but there is no features file.",
                remedy="name the file in RESIDENT_FLAGS['FEATURES'].",
            )
        path = Path(conf.features)
        return lambda: features.load(path, namespace=conf.flipt_namespace)
    return Document.empty if conf.flags_fallback == "defaults" else None


class _Nowhere:
    """The source of a project that has no flags."""

    def __str__(self) -> str:
        return "nowhere (no Flipt host, no features file)"

    def read(self) -> Document:
        return Document.empty(conf.flipt_namespace)

    def close(self) -> None:
        pass
