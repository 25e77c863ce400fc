"""An answer, ready to be sent."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from resident.testing.flipt.status import StatusError


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole HTTP response."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, message: Any) -> "Reply":
        """200 with the message."""
        return cls(200, json.dumps(message, separators=(",", ":")).encode())

    @classmethod
    def refusing(cls, error: StatusError) -> "Reply":
        """The gRPC status in the shape that the gateway gives it."""
        status = {"code": int(error.code), "message": str(error), "details": []}
        # The gateway puts the message there, and no scheme.
        headers = (("WWW-Authenticate", str(error)),) if error.http == 401 else ()
        return cls(error.http, json.dumps(status, separators=(",", ":")).encode(), headers)

    def wire(self, *, keep: bool) -> bytes:
        """The response as one run of bytes, so that it takes one write."""
        lines = [f"HTTP/1.1 {self.status} {_reason(self.status)}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.status != HTTPStatus.NOT_MODIFIED:
            lines += ["Content-Type: application/json", f"Content-Length: {len(self.body)}"]
        if not keep:
            lines.append("Connection: close")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
