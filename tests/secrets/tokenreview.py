"""The part of the Kubernetes API that Vault asks: whose token is this?"""

import json
import ssl

import trustme

from tests.servers import Impostor

__all__ = ["TokenReview"]

REVIEWS = "POST /apis/authentication.k8s.io/v1/tokenreviews"


class TokenReview(Impostor):
    """An API server that knows service accounts by their tokens; lives as long as its `with`.

    Args:
        accounts: namespace and name by token.
    """

    def __init__(self, accounts: dict[str, tuple[str, str]]) -> None:
        self.accounts = accounts
        self._authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert("127.0.0.1").configure_cert(context)
        super().__init__(tls=context)

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

    def answer(self, asked: str, content: bytes) -> tuple[int, object]:
        if asked != REVIEWS:
            return 404, {}
        review = json.loads(content)
        return 201, {**review, "status": self.review(review["spec"]["token"])}
