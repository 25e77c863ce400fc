"""The part of the Kubernetes API that Vault asks: whose token is this?"""

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import trustme

__all__ = ["TokenReview"]

REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


class TokenReview:
    """An API server that knows service accounts by their tokens; lives as long as its `with`.

    Args:
        accounts: namespace and name by token.
    """

    def __init__(self, accounts: dict[str, tuple[str, str]]) -> None:
        self.accounts = accounts
        self._authority = trustme.CA()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert("127.0.0.1").configure_cert(context)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_port}"

    @property
    def cacert(self) -> str:
        """Its authority, as PEM."""
        return self._authority.cert_pem.bytes().decode()

    def review(self, token: str) -> dict[str, object]:
        """What Kubernetes says about a token."""
        if token not in self.accounts:
            return {"authenticated": False, "error": "invalid bearer token"}
        namespace, name = self.accounts[token]
        user = {"username": f"system:serviceaccount:{namespace}:{name}", "uid": f"uid-of-{name}"}
        return {"authenticated": True, "user": user}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                review["status"] = api.review(review["spec"]["token"])
                content = json.dumps(review).encode()
                self.send_response(201 if self.path == REVIEWS else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Say nothing: it would print the path alone, but on every test's terminal."""

        return Handler
