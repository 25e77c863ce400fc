"""What a project can hear about its worker's secrets.

Both are sent by the keeper of the secrets, in its own thread: what a handler raises is logged by
Django, and disturbs nobody.
"""

from django.dispatch import Signal

__all__ = ["secrets_changed", "secrets_failed"]

secrets_changed = Signal()
"""Sent when other secrets are in use, and what depends on them, with `secrets`, a
`resident.secrets.Secrets`, and `keys`, a frozenset of those whose values are other ones."""

secrets_failed = Signal()
"""Sent each time that the secrets could not be read, their access not be renewed, or a resource
not be made from them, with `error`, a `resident.exceptions.SecretsError` without any secret."""
