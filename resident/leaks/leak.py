"""What a request left behind that the next one finds, as it is told to people and machines."""

from dataclasses import dataclass

__all__ = ["Leak", "Line"]


@dataclass(frozen=True)
class Line:
    """A place in a source file.

    Attributes:
        file: its absolute path, as Python knows it.
        line: counted from 1.
    """

    file: str
    line: int


@dataclass(frozen=True)
class Leak:
    """One thing that grows with every request, or holds what a past request brought.

    Attributes:
        path: what was requested.
        kind: such as "module global".
        name: where it is, with dots, such as "shop.pricing.CACHE['…']".
        file: where that is defined; "" where it can't be told.
        line: counted from 1; 0 where it can't be told.
        growth: how much is there after each of the requests.
        value: what is held, by type and size, and never its contents.
        remedy: what to do, in a sentence or two.
        put_in: where the value was put in; None where that can't be told.
    """

    path: str
    kind: str
    name: str
    file: str
    line: int
    growth: tuple[int, ...]
    value: str
    remedy: str
    put_in: Line | None = None
