"""The management of flags and their variants."""

import json
import uuid

from resident.testing.flipt.message import (
    Message,
    boolean,
    choice,
    mapping,
    namespace_key,
    now,
    required,
    stamps,
    text,
)
from resident.testing.flipt.namespaces import new_key
from resident.testing.flipt.status import invalid, invalid_field, not_found
from resident.testing.flipt.store import Flag, Store, find, page
from resident.testing.flipt.version import Version

VARIANT, BOOLEAN = "VARIANT_FLAG_TYPE", "BOOLEAN_FLAG_TYPE"


def get(store: Store, message: Message) -> Message:
    """The flag with its variants."""
    required(message, "key")
    return shown(store.flag(message, "key"), store.version)


def listed(store: Store, message: Message) -> Message:
    """A page of flags, oldest first."""
    records = [shown(flag, store.version) for flag in store.flags(message).values()]
    return page("flags", records, message)


def create(store: Store, message: Message) -> Message:
    """A new flag."""
    flag = Flag(
        namespace=namespace_key(message),
        key=new_key(message),
        name=required(message, "name"),
        description=text(message, "description"),
        enabled=boolean(message, "enabled"),
        type=choice(message, "type", (VARIANT, BOOLEAN)),
        metadata=mapping(message, "metadata"),
    )
    flags = store.namespace(message).flags
    if flag.key in flags:
        raise invalid(f"flag {flag} is not unique")
    flags[flag.key] = flag
    store.changed(message)
    return shown(flag, store.version)


def update(store: Store, message: Message) -> Message:
    """The flag, with every field replaced: what the message leaves out is emptied.

    Only metadata stay when left out.
    """
    key, name = required(message, "key"), required(message, "name")
    default = text(message, "defaultVariantId") if store.version.has_default_variants else ""
    if default and not _has_variant(store.flags(message).get(key), default):
        place = f'"{namespace_key(message)}/{key}"'
        raise invalid(f'variant "{default}" not found for flag {place}')
    flag = store.flag(message, "key")
    flag.name, flag.description = name, text(message, "description")
    flag.enabled, flag.default_variant = boolean(message, "enabled"), default
    flag.metadata = mapping(message, "metadata") if "metadata" in message else flag.metadata
    flag.updated = now()
    store.changed(message)
    return shown(flag, store.version)


def delete(store: Store, message: Message) -> Message:
    """Nothing, also where there was nothing to delete."""
    flag = store.flags(message).pop(required(message, "key"), None)
    if flag is not None:
        _drop_distributions(store, message, {variant["id"] for variant in flag.variants})
    store.changed(message)
    return {}


def create_variant(store: Store, message: Message) -> Message:
    """A new variant."""
    key, attachment = required(message, "key"), _attachment(message)
    flag = store.flag(message)
    _refuse_duplicate(flag, key)
    variant = {
        "id": str(uuid.uuid4()),
        "flagKey": flag.key,
        "key": key,
        "name": text(message, "name"),
        "description": text(message, "description"),
        **stamps(),
        "attachment": attachment,
        "namespaceKey": flag.namespace,
    }
    flag.variants.append(variant)
    store.changed(message)
    return variant


def update_variant(store: Store, message: Message) -> Message:
    """The variant, with every field replaced."""
    key, attachment = required(message, "key"), _attachment(message)
    flag = store.flags(message).get(text(message, "flagKey"))
    variant = find(flag.variants, text(message, "id")) if flag else None
    if flag is None or variant is None:
        raise not_found(f'variant "{key}"')
    if key != variant["key"]:
        _refuse_duplicate(flag, key)
    variant.update(
        key=key,
        name=text(message, "name"),
        description=text(message, "description"),
        attachment=attachment,
        updatedAt=now(),
    )
    store.changed(message)
    return variant


def delete_variant(store: Store, message: Message) -> Message:
    """Nothing. Distributions go with their variant, and so does its being the default."""
    flag = store.flags(message).get(text(message, "flagKey"))
    if flag is not None:
        gone = text(message, "id")
        flag.variants = [variant for variant in flag.variants if variant["id"] != gone]
        if flag.default_variant == gone:
            flag.default_variant = ""
        _drop_distributions(store, message, {gone})
    store.changed(message)
    return {}


def shown(flag: Flag, version: Version) -> Message:
    """The flag as this version shows it."""
    message = {
        "key": flag.key,
        "name": flag.name,
        "description": flag.description,
        "enabled": flag.enabled,
        "createdAt": flag.created,
        "updatedAt": flag.updated,
        "variants": flag.variants,
        "namespaceKey": flag.namespace,
        "type": flag.type,
    }
    default = find(flag.variants, flag.default_variant)
    if default is not None:
        message["defaultVariant"] = default
    if flag.metadata and version.has_default_variants:
        message["metadata"] = flag.metadata
    return message


def _has_variant(flag: Flag | None, identity: str) -> bool:
    return flag is not None and find(flag.variants, identity) is not None


def _drop_distributions(store: Store, message: Message, gone: set[str]) -> None:
    """Take deleted variants out of all rules: also another flag's may have named them."""
    for flag in store.flags(message).values():
        for rule in flag.rules:
            rule["distributions"] = [
                each for each in rule["distributions"] if each["variantId"] not in gone
            ]


def _refuse_duplicate(flag: Flag, key: str) -> None:
    if find(flag.variants, key, by="key") is not None:
        raise invalid(f'variant "{key}" is not unique for flag {flag}')


def _attachment(message: Message) -> str:
    """The attachment, which is JSON in a string, compacted."""
    attachment = text(message, "attachment")
    if not attachment:
        return ""
    try:
        return json.dumps(json.loads(attachment), separators=(",", ":"), ensure_ascii=False)
    except ValueError:
        raise invalid_field("attachment", "must be a json string") from None
