"""What a project can hear about its worker's secrets, and about the flags that it asks.

Those of the secrets are sent by their keeper, in its own thread, and that of the flags by whoever
asks: what a handler raises is logged by Django, and disturbs nobody.
"""

from django.dispatch import Signal

__all__ = ["flag_evaluated", "secrets_changed", "secrets_failed"]

secrets_changed = Signal()
"""Sent when other secrets are in use, and what depends on them, with `secrets`, a
`resident.secrets.Secrets`, and `keys`, a frozenset of those whose values are other ones."""

secrets_failed = Signal()
"""Sent each time that the secrets could not be read, their access not be renewed, or a resource
not be made from them, with `error`, a `resident.exceptions.SecretsError` without any secret."""

flag_evaluated = Signal()
"""Sent each time that a flag was asked, if anybody listens, by `flag_enabled` or `flag_variant`,
with its `key`, its `value`, the `request` or None, the `default` and the `namespace`, None for that
of the settings."""
