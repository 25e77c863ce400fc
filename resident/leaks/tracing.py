"""The line that puts a value where it stays: seen by running one more request, line by line."""

import sys
import threading
from collections.abc import Callable, Hashable, Mapping
from types import CodeType, FrameType
from typing import Any, TypeVar

from resident.leaks.leak import Line
from resident.leaks.scope import Scope

__all__ = ["traced"]

T = TypeVar("T")


def traced(
    act: Callable[[], object], fingerprints: Mapping[T, Callable[[], Hashable]], scope: Scope
) -> dict[T, Line]:
    """Run this, and tell for each fingerprint the last line of covered code that changed it.

    Slow: every line of that code is followed. Whoever traces already, as a debugger or coverage
    does, misses what runs here.
    """
    tracer = _Tracer(fingerprints, scope)
    before, before_in_threads = sys.gettrace(), threading.gettrace()
    threading.settrace(tracer.enter)  # asgiref runs an async view in one of its own
    sys.settrace(tracer.enter)
    try:
        act()
    finally:
        sys.settrace(before)
        threading.settrace(before_in_threads)
    return tracer.lines


class _Tracer:
    """Compares before and after each line; lives as long as one request."""

    def __init__(self, fingerprints: Mapping[Any, Callable[[], Hashable]], scope: Scope) -> None:
        self.lines: dict[Any, Line] = {}
        self._fingerprints = fingerprints
        self._scope = scope
        self._known = {key: read() for key, read in fingerprints.items()}
        self._at: tuple[CodeType, int] | None = None

    # What is below runs as a tracer, which no other tracer sees, such as that of coverage.

    def enter(self, frame: FrameType, _: str, __: Any) -> Any:  # pragma: no cover - see above
        """For each function that is called; gives what follows its lines, if it is covered."""
        if not self._scope.covers(frame.f_globals.get("__name__")):
            return None
        self._compare()
        self._at = (frame.f_code, frame.f_lineno)
        return self._follow

    def _follow(self, frame: FrameType, event: str, _: Any) -> Any:  # pragma: no cover - see above
        self._compare()
        now = self._covered_caller(frame) if event == "return" else frame
        self._at = (now.f_code, now.f_lineno) if now else None
        return self._follow

    def _compare(self) -> None:  # pragma: no cover - see above
        for key, read in self._fingerprints.items():
            found = read()
            if found != self._known[key]:
                self._known[key] = found
                if self._at:
                    code, line = self._at
                    self.lines[key] = Line(code.co_filename, line)

    def _covered_caller(self, frame: FrameType) -> FrameType | None:  # pragma: no cover - see above
        caller = frame.f_back
        while caller and not self._scope.covers(caller.f_globals.get("__name__")):
            caller = caller.f_back
        return caller
