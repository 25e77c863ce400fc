"""The stream of Flipt v2: a namespace's document, and another one after each change."""

import json
import threading
import zlib
from collections.abc import Generator

from resident.testing.flipt.document import Document, Documents
from resident.testing.flipt.message import Message

_BEAT_SECONDS = 0.05
_GZIP_BITS = 31


class Stream:
    """Lives as long as the request that asked for it.

    Its head goes out with its first message, as it does from Flipt's gateway: whoever asks for a
    namespace that isn't there, or says that it has the present document, hears nothing at all.

    Args:
        documents: what is streamed.
        message: which namespace, and which digest the client has.
        compressed: whether the client accepts that.
    """

    def __init__(self, documents: Documents, message: Message, *, compressed: bool) -> None:
        self.over = threading.Event()
        self._documents = documents
        self._message = message
        self._last = message.get("digest", "")
        self._compressor = zlib.compressobj(wbits=_GZIP_BITS) if compressed else None
        self._has_begun = False

    def pieces(self) -> Generator[bytes]:
        """What to send; nothing from time to time, to see whether the client is still there."""
        while not self.over.is_set():
            document = self._next()
            yield self.result(document.body) if document else b""

    def result(self, body: bytes) -> bytes:
        """A message with a document."""
        return self.line(b'{"result":%s}' % body)

    def error(self, code: int, text: str) -> bytes:
        """The message that the gateway ends a stream with which failed."""
        status = {"code": code, "message": text, "details": []}
        return self.line(json.dumps({"error": status}, separators=(",", ":")).encode())

    def line(self, text: bytes) -> bytes:
        """A line, whatever it says."""
        return self.part(text + b"\n")

    def part(self, data: bytes) -> bytes:
        """Any part of a line, after the head if it is the first."""
        if self._compressor is not None:
            data = self._compressor.compress(data) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        return self.head() + chunk(data)

    def head(self) -> bytes:
        """The head of the answer, where it was not sent yet."""
        begun, self._has_begun = self._has_begun, True
        return b"" if begun else self._head()

    def _next(self) -> Document | None:
        with self._documents.news:
            document = self._documents.find(self._message)
            if document is None or document.etag == self._last:
                self._documents.news.wait(_BEAT_SECONDS)
                return None
            self._last = document.etag
            return document

    def _head(self) -> bytes:
        lines = ["HTTP/1.1 200 OK", "Content-Type: application/json", "Transfer-Encoding: chunked"]
        if self._compressor is not None:
            lines += ["Content-Encoding: gzip", "Vary: Accept-Encoding"]
        return "\r\n".join([*lines, "", ""]).encode()


class Streams:
    """The streams that are open; lives as long as its server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[Stream, str] = {}

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._open)

    def follow(self, stream: Stream, path: str, pieces: Generator[bytes]) -> Generator[bytes]:
        """The pieces, while the stream counts as open."""
        with self._lock:
            self._open[stream] = path
        try:
            yield from pieces
        finally:
            with self._lock:
                del self._open[stream]

    def cut(self, paths: tuple[str, ...] = ("",)) -> None:
        """End those whose paths start so."""
        with self._lock:
            for stream, path in self._open.items():
                if path.startswith(paths):
                    stream.over.set()


def chunk(data: bytes) -> bytes:
    """A chunk of an answer whose length isn't announced; without data, its end."""
    return b"%x\r\n%s\r\n" % (len(data), data)
