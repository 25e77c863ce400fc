"""The requests that a test makes with Django's client, so that they can be made again."""

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from django.http.response import HttpResponseBase
from django.test.client import ClientHandler, FakePayload

__all__ = ["Made", "Recorder"]


@dataclass(frozen=True)
class Made:
    """A request that was made, and how it was answered."""

    environ: dict[str, Any]
    body: bytes
    status: int

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for requests that are no different: the same page, body, headers and cookies."""
        texts = {name: text for name, text in self.environ.items() if isinstance(text, str)}
        return (self.body, *sorted(texts.items()))


class Recorder:
    """Notes what goes through Django's test client; lives as long as its `with`.

    Its asynchronous client is left alone, and so is what a real server is asked.
    """

    def __init__(self) -> None:
        self._made: list[Made] = []
        self._original: Callable[..., Any] = ClientHandler.__call__

    def __enter__(self) -> Self:
        ClientHandler.__call__ = self._recording()  # type: ignore[method-assign]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        ClientHandler.__call__ = self._original  # type: ignore[method-assign]

    @property
    def distinct(self) -> list[Made]:
        """The first of each kind, in order."""
        found: dict[tuple[Any, ...], Made] = {}
        for made in self._made:
            found.setdefault(made.key, made)
        return list(found.values())

    def _recording(self) -> Callable[..., Any]:
        original, made = self._original, self._made

        def call(handler: ClientHandler, environ: dict[str, Any]) -> HttpResponseBase:
            body = environ["wsgi.input"].read()
            environ["wsgi.input"] = FakePayload(body)
            before = environ.copy()
            response: HttpResponseBase = original(handler, environ)
            made.append(Made(before, body, response.status_code))
            return response

        return call
