"""What was asked of the server."""

import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Request:
    """A request that the server received.

    `status` is None where no whole answer was given. `authenticated` says whether the request
    carried a token that the server knows; `headers`, in lower case, are without that token.
    """

    method: str
    path: str
    query: str
    status: int | None
    authenticated: bool
    headers: Mapping[str, str] = field(repr=False)


class Journal:
    """Counts all requests, and keeps the latest 10,000."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: deque[Request] = deque(maxlen=_KEPT)
        self._counts: Counter[tuple[str, str]] = Counter()

    @property
    def latest(self) -> list[Request]:
        """The latest requests, oldest first."""
        with self._lock:
            return list(self._latest)

    def note(self, request: Request) -> None:
        """Add a request."""
        with self._lock:
            self._latest.append(request)
            self._counts[request.method, request.path] += 1

    def count(self, path: str, method: str | None) -> int:
        """How many requests there were below the path."""
        with self._lock:
            return sum(
                count
                for (known, place), count in self._counts.items()
                if place.startswith(path) and method in (None, known)
            )

    def forget(self) -> None:
        """Start anew."""
        with self._lock:
            self._latest.clear()
            self._counts.clear()
