"""The management of namespaces."""

import re

from resident.testing.flipt.message import (
    Message,
    namespace_key,
    now,
    required,
    text,
)
from resident.testing.flipt.status import invalid, invalid_field
from resident.testing.flipt.store import Namespace, Store, page

_KEY = re.compile(r"[-_,A-Za-z0-9]+\Z")


def new_key(message: Message) -> str:
    """The key of something that is about to be created."""
    key = required(message, "key")
    if not _KEY.match(key):
        raise invalid_field("key", "contains invalid characters")
    return key


def get(store: Store, message: Message) -> Message:
    """The namespace."""
    return _shown(store.namespace(message))


def listed(store: Store, message: Message) -> Message:
    """A page of namespaces."""
    records = [_shown(namespace) for namespace in store.namespaces.values()]
    return page("namespaces", records, message, needs_limit=False)


def create(store: Store, message: Message) -> Message:
    """A new namespace."""
    key, name = new_key(message), required(message, "name")
    if key in store.namespaces:
        raise invalid(f'namespace "{key}" is not unique')
    store.namespaces[key] = Namespace(key, name, text(message, "description"))
    store.changed({"namespaceKey": key})
    return _shown(store.namespaces[key])


def update(store: Store, message: Message) -> Message:
    """The namespace, renamed and redescribed."""
    name = required(message, "name")
    namespace = store.namespace(message)
    namespace.name, namespace.description = name, text(message, "description")
    namespace.updated = now()
    store.changed(message)
    return _shown(namespace)


def delete(store: Store, message: Message) -> Message:
    """Nothing. Refused while flags are in it, unless by force where the version knows that."""
    namespace = store.namespace(message)
    by_force = store.version.keeps_used_segments and text(message, "force") == "true"
    if not by_force:
        _refuse_loss(namespace)
    del store.namespaces[namespace_key(message)]
    return {}


def _refuse_loss(namespace: Namespace) -> None:
    if namespace.protected:
        raise invalid(f'namespace "{namespace.key}" is protected')
    if namespace.flags:
        raise invalid(f'namespace "{namespace.key}" cannot be deleted; flags must be deleted first')


def _shown(namespace: Namespace) -> Message:
    return {
        "key": namespace.key,
        "name": namespace.name,
        "description": namespace.description,
        "protected": namespace.protected,
        "createdAt": namespace.created,
        "updatedAt": namespace.updated,
    }
