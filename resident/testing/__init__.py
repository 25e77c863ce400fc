"""Test doubles and helpers for users' own tests."""

from resident.testing.flipt import FakeFlipt

__all__ = ["FakeFlipt"]
