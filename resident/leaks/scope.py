"""Whose state is looked at: the project's, and on request that of the packages it installs."""

import sys
from collections.abc import Iterable

from resident.definitions import is_installed

__all__ = ["Scope", "is_of_python"]

TESTING = {
    *("pytest", "_pytest", "pluggy", "xdist", "execnet", "coverage", "hypothesis"),
}
"""Packages that run tests, and keep what they have seen."""

NEVER = (
    {"django", "asgiref", "resident", "granian", "__main__", "__mp_main__"}
    | {"pip", "pkg_resources", "setuptools", "_distutils_hack"}
    | TESTING
    | sys.stdlib_module_names
)
"""Packages that keep what they keep for the process, and those that only test and install."""

TESTS_ONLY = ("pytest_", "conftest")


class Scope:
    """Decides by module; lives as long as a hunt.

    Args:
        third_party: whether the packages that the project installs belong to it.
        besides: modules that don't, such as a test run's own.
    """

    def __init__(self, *, third_party: bool = False, besides: Iterable[str] = ()) -> None:
        self._third_party = third_party
        self._besides = frozenset(besides)
        self._decided: dict[str, bool] = dict.fromkeys(self._besides, False)

    def covers(self, module: object) -> bool:
        """Whether what this module defines is looked at."""
        if type(module) is not str or not module:
            return False
        covered = self._decided.get(module)
        if covered is None and (covered := self._decide(module)) is not None:
            self._decided[module] = covered
        return bool(covered)

    def is_of_tests(self, module: str) -> bool:
        """Whether it runs tests, and keeps for itself what it has seen."""
        return module in self._besides or module.partition(".")[0] in TESTING

    def may_hold(self, module: str) -> bool:
        """Whether to say that this module holds what it should not: Python and the framework may be
        told to by the project, and a package that is not covered does so by itself.
        """
        return module.partition(".")[0] in NEVER or self.covers(module)

    def _decide(self, module: str) -> bool | None:
        package = module.partition(".")[0]
        if package in NEVER or module.rpartition(".")[2].startswith(TESTS_ONLY):
            return False
        found = sys.modules.get(module) or sys.modules.get(package)
        if found is None:  # a class outlives its module, or says it is of one that never was
            return None
        return self._third_party or not is_installed(found)


def is_of_python(module: str) -> bool:
    """Whether Python brings it, or what extends its threads and contexts: they hold for others."""
    package = module.partition(".")[0]
    return package in sys.stdlib_module_names or package in ("", "asgiref")
