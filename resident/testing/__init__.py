"""Test doubles and helpers for users' own tests."""

from resident.testing.flipt import FakeFlipt
from resident.testing.override import override_flag

__all__ = ["FakeFlipt", "override_flag"]
