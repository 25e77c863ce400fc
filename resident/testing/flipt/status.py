"""How Flipt refuses: a gRPC status, as its HTTP gateway shows it."""

from enum import IntEnum


class Code(IntEnum):
    """The gRPC codes that Flipt answers with."""

    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAUTHENTICATED = 16


_HTTP = {
    Code.INVALID_ARGUMENT: 400,
    Code.NOT_FOUND: 404,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAUTHENTICATED: 401,
}


class StatusError(Exception):
    """A request that Flipt refuses."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def http(self) -> int:
        """The HTTP status of the answer."""
        return _HTTP[self.code]


def invalid(message: str) -> StatusError:
    """400. So are duplicates: Flipt has no 409."""
    return StatusError(Code.INVALID_ARGUMENT, message)


def invalid_field(field: str, reason: str) -> StatusError:
    """400, for a field that breaks a rule."""
    return invalid(f"invalid field {field}: {reason}")


def empty_field(field: str) -> StatusError:
    """400, for a field that must be given."""
    return invalid_field(field, "must not be empty")


def not_found(what: str) -> StatusError:
    """404."""
    return StatusError(Code.NOT_FOUND, f"{what} not found")


def unauthenticated() -> StatusError:
    """401, for a token that is missing, unknown, expired or meant for another namespace."""
    return StatusError(Code.UNAUTHENTICATED, "request was not authenticated")
