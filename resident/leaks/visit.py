"""What one request was, told after it has ended: its body read, its response closed."""

import weakref
from dataclasses import dataclass
from typing import Any

__all__ = ["REHEARSED", "Visit"]

REHEARSED = "resident.leaks.rehearsed"
"""The key of the WSGI environ that says: this request is rehearsed, and looked at by others."""


@dataclass(frozen=True)
class Visit:
    """What is known of a request that has ended, so that traces of it are recognised.

    Attributes:
        strings: its tokens: random, of this request alone, and nobody else has them.
        numbers: likewise, such as the primary key of the user that was made for it.
        request: Django's request, held weakly: alive only where somebody keeps it.
    """

    strings: tuple[str, ...]
    numbers: tuple[int, ...] = ()
    request: "weakref.ref[Any] | None" = None
