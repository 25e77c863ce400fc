"""What was found in this process while it served, and after which request."""

import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from resident.leaks.leak import Leak

__all__ = ["Entry", "Journal", "journal"]

MOST_ENTRIES = 200
"""So many are kept at most: a name made of a user's input must not fill memory."""


@dataclass(frozen=True)
class Entry:
    """One leak, as it was when it was last seen.

    Attributes:
        method, path: of the request after which it was last seen; the path without its query.
        first, last: when it was first and last seen, in UTC.
        count: how often it was seen.
    """

    leak: Leak
    method: str
    path: str
    first: datetime
    last: datetime
    count: int = 1


class Journal:
    """Keeps each leak once; lives as long as the process, and may be asked by any thread.

    Args:
        most: how many leaks are kept; the one that was not seen for the longest makes room.
    """

    def __init__(self, most: int = MOST_ENTRIES) -> None:
        self._most = most
        self._entries: dict[tuple[str, str], Entry] = {}
        self._requests = 0
        self._lock = threading.Lock()

    @property
    def requests(self) -> int:
        """After how many requests somebody looked."""
        return self._requests

    def entries(self) -> list[Entry]:
        """What was found, newest first."""
        with self._lock:
            return list(reversed(self._entries.values()))

    def looked(self) -> None:
        """Note that somebody looked after a request."""
        with self._lock:
            self._requests += 1

    def keep(self, leak: Leak, method: str, path: str) -> bool:
        """Note a leak that was seen after a request; gives whether it is a new one."""
        now = datetime.now(UTC)
        key = leak.kind, leak.name
        with self._lock:
            known = self._entries.get(key)
            if known:
                seen = replace(known, leak=leak, last=now, count=known.count + 1)
                self._entries[key] = replace(seen, method=method, path=path)
            else:
                self._make_room()
                self._entries[key] = Entry(leak, method, path, first=now, last=now)
        return known is None

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._requests = 0

    def _make_room(self) -> None:
        if len(self._entries) >= self._most:
            del self._entries[min(self._entries, key=lambda key: self._entries[key].last)]


journal = Journal()
"""What was found in this process."""
