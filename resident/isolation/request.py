"""The request that ends, as a resetter needs to know it."""

from typing import Any

__all__ = ["Request"]


class Request:
    """The request that just ended, as a resetter needs to know it; lives until it is reset."""

    __slots__ = ("environ",)

    def __init__(self, environ: dict[str, Any]) -> None:
        self.environ = environ

    @property
    def method(self) -> str:
        return str(self.environ.get("REQUEST_METHOD", ""))

    @property
    def path(self) -> str:
        """Without the query, which may hold what no log should."""
        prefix, path = self.environ.get("SCRIPT_NAME", ""), self.environ.get("PATH_INFO", "")
        # WSGI hands bytes over as latin-1 (PEP 3333).
        return f"{prefix}{path}".encode("latin-1", "replace").decode("utf-8", "replace")

    def __str__(self) -> str:
        return f"{self.method} {self.path}"
