"""The pages that resident adds to Django's admin."""

from resident.admin.flag import FlagAdmin
from resident.admin.leak import LeakAdmin

__all__ = ["FlagAdmin", "LeakAdmin"]
