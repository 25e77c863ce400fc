"""Test doubles and helpers for users' own tests."""

from typing import TYPE_CHECKING, Any

from resident.testing.flipt import FakeFlipt

if TYPE_CHECKING:
    from resident.testing.override import override_flag

__all__ = ["FakeFlipt", "override_flag"]


def __getattr__(name: str) -> Any:
    # The double serves those, too, who have no Django, and need no engine.
    if name != "override_flag":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from resident.testing.override import override_flag  # noqa: PLC0415

    return override_flag
