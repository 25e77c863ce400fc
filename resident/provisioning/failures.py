"""What went wrong on the way to a server, told without what was on the way.

The exceptions of hvac and requests hold the token, the password and the body. Whoever
catches one turns it into a ProvisionError here, and raises that after its `except` has
ended: an error raised inside would carry the other as its context.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import requests

from resident.exceptions import ProvisionError
from resident.transport import BoundedSession, Redirected

_CONNECT_SECONDS = 2.0
_MAX_BYTES = 16 * 1024 * 1024
_LONGEST_QUOTE = 300


def session(seconds: float) -> BoundedSession:
    """Connections to one server for one provisioning, each answer within these seconds."""
    return BoundedSession(seconds=seconds, max_bytes=_MAX_BYTES)


def timeout(seconds: float) -> tuple[float, float]:
    """How long to wait for a connection, and for an answer to begin."""
    return min(_CONNECT_SECONDS, seconds), seconds


@dataclass(frozen=True, slots=True)
class Server:
    """A server: its name, its URL and the variable for that, how to trust it, how long to wait."""

    name: str
    url: str
    variable: str
    trust: str
    seconds: float

    def error(self, problem: str, tried: str, remedy: str) -> ProvisionError:
        """A ProvisionError that names this server; `problem` goes on after its name."""
        return ProvisionError(f"{self.name} at {self.url} {problem}", tried=tried, remedy=remedy)

    def unreachable(self, error: OSError, tried: str) -> ProvisionError:
        """What a failed exchange means, told by the type of the error alone.

        All of requests' exceptions are OSErrors; it raises a bare one for a missing CA file.
        """
        correct = f"or correct {self.variable}."
        if isinstance(error, requests.exceptions.SSLError):
            return self.error("shows a certificate that is not trusted here.", tried, self.trust)
        if isinstance(error, requests.Timeout):
            return self.error(
                "does not answer in time.",
                f"{tried}, for {self.seconds:g} s",
                f"See whether {self.name} is overloaded, {correct}",
            )
        if isinstance(error, Redirected):
            return self.error(
                "redirects to another address; a token is not sent there.",
                tried,
                f"Put the address that answers by itself into {self.variable}.",
            )
        if isinstance(error, requests.ConnectionError):
            return self.error("can't be reached.", tried, f"Start {self.name}, {correct}")
        if isinstance(error, requests.RequestException):
            return self.error(
                f"can't be talked to ({type(error).__name__}).",
                tried,
                f"See what answers there, {correct}",
            )
        return self.error("can't be asked: the file of authorities is missing.", tried, self.trust)

    def foreign(self, tried: str) -> ProvisionError:
        """Something answered, but in another language: a proxy, a login page, a web server."""
        return self.error(
            f"answers, but not as {self.name} does.",
            tried,
            f"Correct {self.variable}: a proxy or another server may be answering there.",
        )


def quote(text: object, secrets: Iterable[str]) -> str:
    """A server's own words, shortened, with every secret that they echo masked."""
    words = " ".join(str(text).split())
    for secret in sorted(secrets, key=len, reverse=True):
        words = words.replace(secret, "***")
    return words[:_LONGEST_QUOTE]
