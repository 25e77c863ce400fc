"""Flipt v1 through its management API, with a token that may do everything."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote as quote_path

import requests
from requests.auth import AuthBase

from resident.exceptions import ProvisionError
from resident.provisioning.failures import Server, quote, session, timeout
from resident.provisioning.targets import FliptTarget, is_token

_VERSION = re.compile(r"v?(\d+)\.(\d+)")

_OK = 200
_UNAUTHORIZED = 401
_FORBIDDEN = 403
_NOT_FOUND = 404

_ENABLE_TOKENS = (
    "Start Flipt with FLIPT_AUTHENTICATION_METHODS_TOKEN_ENABLED=true and "
    "FLIPT_AUTHENTICATION_REQUIRED=true."
)


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token of Flipt's. Its id is known only of one that was just created."""

    value: str = field(repr=False)
    id: str = ""


class _Bearer(AuthBase):
    """Sends the token, or nothing where there is none, instead of the administrator's."""

    def __init__(self, token: ApiToken | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token.value}"
        return request


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: dict[str, Any] | None = field(repr=False)


class FliptManagement:
    """Flipt as its administrator sees it. Lives as long as one provisioning.

    Raises:
        ProvisionError: Flipt can't be reached, refuses, or is not a Flipt v1. No token is
            in its message, its context or its frames.
    """

    def __init__(self, target: FliptTarget) -> None:
        self._target = target
        self._url = target.url.rstrip("/")
        self._server = Server(
            "Flipt",
            target.url,
            "FLIPT_API_HOST",
            "Use a certificate that a public authority signed, and a host in FLIPT_API_HOST "
            "that the certificate names.",
            target.seconds,
        )
        self._session = session(target.seconds)
        self._session.auth = _Bearer(ApiToken(target.token))
        self._version = ""
        self._read_only = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._session.close()

    @property
    def api_host(self) -> str:
        """The URL by which the application reaches this Flipt."""
        return self._target.api_host

    @property
    def version(self) -> str:
        """What Flipt calls its version; empty before `check` and where it does not tell."""
        return self._version

    def since(self, major: int, minor: int) -> bool:
        """Whether Flipt is of this version or later; one built by hand counts as later."""
        found = _VERSION.match(self._version)
        return found is None or (int(found[1]), int(found[2])) >= (major, minor)

    def check(self) -> None:
        """See that this is a Flipt v1 and that it takes the token, before anything is made."""
        tried = "listing the namespaces"
        reply = self._exchange("GET", "/api/v1/namespaces", tried)
        if reply.status == _NOT_FOUND:
            raise self._not_v1(tried)
        if "namespaces" not in self._accepted(reply, tried):
            raise self._server.foreign(tried)
        self._learn_version()

    def check_tokens(self) -> None:
        """See that tokens can be created: the method is off where nobody turned it on."""
        tried = "listing the authentication methods"
        answer = self._accepted(self._exchange("GET", "/auth/v1/method", tried), tried)
        for method in answer.get("methods", ()):
            if method.get("method") == "METHOD_TOKEN" and method.get("enabled"):
                return
        raise self._server.error(
            "authenticates nobody by token, so the application can't be given one.",
            tried,
            _ENABLE_TOKENS,
        )

    def find(self, path: str, what: str) -> dict[str, Any] | None:
        """What stands at a path of the management API; None where nothing does."""
        tried = f"reading the {what}"
        reply = self._exchange("GET", f"/api/v1{path}", tried)
        return None if reply.status == _NOT_FOUND else self._accepted(reply, tried)

    def list(self, path: str, what: str) -> list[dict[str, Any]]:
        """All rules or rollouts below a path, in their order; Flipt calls both rules.

        Flipt gives them all where no limit is asked for.
        """
        tried = f"listing the {what}"
        answer = self._accepted(self._exchange("GET", f"/api/v1{path}", tried), tried)
        return list(answer.get("rules", ()))

    def create(self, path: str, what: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make what the body says below a path, and tell how it stands now."""
        tried = f"creating the {what}"
        return self._accepted(self._exchange("POST", f"/api/v1{path}", tried, body=body), tried)

    def update(self, path: str, what: str, body: Mapping[str, Any]) -> None:
        """Replace what stands at a path."""
        tried = f"updating the {what}"
        self._accepted(self._exchange("PUT", f"/api/v1{path}", tried, body=body), tried)

    def serves(self, namespace: str, token: ApiToken | None) -> bool:
        """Whether Flipt gives the namespace's snapshot for this token, or for none.

        It is what the application will ask. Flipt gives it to nobody who comes with a
        token that is limited to a namespace.
        """
        if token and not is_token(token.value):
            return False
        tried = f"reading the snapshot of {namespace} as the application"
        path = f"/internal/v1/evaluation/snapshot/namespace/{segment(namespace)}"
        reply = self._exchange("GET", path, tried, auth=_Bearer(token))
        if reply.status in {_UNAUTHORIZED, _FORBIDDEN}:
            return False
        self._accepted(reply, tried)
        return True

    def create_token(self, name: str) -> ApiToken:
        """A token for the application, for all namespaces and without an end."""
        tried = f"creating the API token {name}"
        body = {"name": name, "description": "Reads the flags. Created by manage.py provision."}
        reply = self._exchange("POST", "/auth/v1/method/token", tried, body=body)
        token = _api_token(self._accepted(reply, tried))
        if token is None:
            raise self._server.foreign(tried)
        return token

    def delete_token(self, token: ApiToken) -> None:
        """Take back a token that was created; one that can't be taken back stays."""
        path = f"/auth/v1/tokens/{segment(token.id)}"
        self._exchange("DELETE", path, "deleting an API token that nobody will use")

    def _learn_version(self) -> None:
        reply = self._exchange("GET", "/meta/info", "asking for the version")
        info = reply.body if reply.status == _OK and reply.body else {}
        self._version = str(info.get("version", ""))
        storage = info.get("storage")
        self._read_only = isinstance(storage, dict) and bool(storage.get("readOnly"))

    def _not_v1(self, tried: str) -> ProvisionError:
        reply = self._exchange("GET", "/api/v2/environments", tried)
        if reply.body is None or reply.status == _NOT_FOUND:
            return self._server.foreign(tried)
        return self._server.error(
            "is Flipt v2, which has no management API: it keeps its flags in git.",
            tried,
            "Commit the features file to the repository that Flipt reads, name a token in its "
            "configuration, write it into the secret, and run provision with --skip-flipt; "
            "or run Flipt v1.",
        )

    def _exchange(
        self,
        method: str,
        path: str,
        tried: str,
        *,
        body: Mapping[str, Any] | None = None,
        auth: _Bearer | None = None,
    ) -> _Reply:
        """One request and its reply; the failure is raised after its cause is gone."""
        try:
            response = self._session.request(
                method,
                f"{self._url}{path}",
                json=body,
                auth=auth,
                headers={"Accept": "application/json"},
                timeout=timeout(self._target.seconds),
            )
        except OSError as error:
            failure = self._server.unreachable(error, tried)
        else:
            return _Reply(response.status_code, _document(response))
        raise failure

    def _accepted(self, reply: _Reply, tried: str) -> dict[str, Any]:
        """The body of a reply that says yes."""
        if reply.status == _OK and reply.body is not None:
            return reply.body
        raise self._refusal(reply, tried)

    def _refusal(self, reply: _Reply, tried: str) -> ProvisionError:
        if reply.body is None:
            return self._server.foreign(tried)
        if reply.status == _UNAUTHORIZED:
            return self._server.error(
                "refuses the token: it is wrong, expired or limited to one namespace.",
                tried,
                "Set FLIPT_API_TOKEN to the bootstrap token, or to one created in Flipt.",
            )
        if reply.status == _FORBIDDEN:
            return self._server.error(
                "knows the token, but its authorization policy does not allow it this.",
                tried,
                "Set FLIPT_API_TOKEN to a token that may manage flags and tokens.",
            )
        said = quote(reply.body.get("message", ""), [self._target.token])
        remedy = "Correct what it names in the features file."
        if self._read_only:
            remedy = "Its storage is read-only: commit the features file to where it reads from."
        return self._server.error(f"answers {reply.status}: {said}", tried, remedy)


def segment(key: str) -> str:
    """A key as one segment of a path."""
    return quote_path(key, safe="")


def _document(response: requests.Response) -> dict[str, Any] | None:
    """The reply's JSON object; None where it is something else."""
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _api_token(answer: Mapping[str, Any]) -> ApiToken | None:
    value, known = answer.get("clientToken"), answer.get("authentication")
    if not isinstance(value, str) or not is_token(value) or not isinstance(known, dict):
        return None
    return ApiToken(value, str(known.get("id", "")))
