"""Where provisioning goes, and with which credentials."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from resident.exceptions import ProvisionError

# What is left out ("*", "+", "{", quotes, "..") would widen the policy or the path.
_ELEMENT = r"[A-Za-z0-9_-][A-Za-z0-9_.-]*"
_SECRET_PATH = re.compile(rf"{_ELEMENT}(/{_ELEMENT})+")
# As userpass itself takes it.
_USERNAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")

# Vault's own: the one can't be written, the other is everybody's.
_RESERVED_POLICIES = frozenset({"root", "default"})


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultTarget:
    """Where the secret is to be, and who may read it. Lives as long as one provisioning.

    Args:
        addr: Vault's URL.
        token: the administrator's token.
        path: mount and path of the secret; its last element names the policy.
        username: who reads the secret, by userpass.
        password: that user's password.
        namespace: Vault's namespace, where it has any.
        cacert: a file with the authority that signed Vault's certificate.
        seconds: how long one answer may take.
    """

    # Not shown: a URL may hold a password, until `check` refuses it.
    addr: str = field(repr=False)
    token: str = field(repr=False)
    path: str = "secret/demoapp"
    username: str
    password: str = field(repr=False)
    namespace: str = ""
    cacert: str = ""
    seconds: float = 10.0

    @property
    def mount(self) -> str:
        """The mount of the KV engine: the first element of the path."""
        return self.path.partition("/")[0]

    @property
    def key(self) -> str:
        """The secret's path below the mount."""
        return self.path.partition("/")[2]

    @property
    def policy(self) -> str:
        """The name of the policy; Vault keeps it in lower case."""
        return self.path.rpartition("/")[2].lower()

    def check(self) -> None:
        """Find what can't work before anything is asked.

        It is not done while the target is made: that frame holds the bare credentials.

        Raises:
            ProvisionError: names the variable, never a credential.
        """
        _require_url(_is_url(self.addr), "VAULT_ADDR")
        _require_token(is_token(self.token), "VAULT_TOKEN")
        _require_name(self.path, _SECRET_PATH, "VAULT_SECRET_PATH", "secret/demoapp")
        _require_name(self.username, _USERNAME, "VAULT_USER", "demoapp")
        if not self.password:
            raise ProvisionError("The user's password is empty.", remedy="Set VAULT_PASS.")
        if self.policy in _RESERVED_POLICIES:
            raise ProvisionError(
                f"The policy for {self.path} would be {self.policy}, which is Vault's own.",
                remedy="Choose another last element in VAULT_SECRET_PATH.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class FliptTarget:
    """The Flipt that is to hold the flags. Lives as long as one provisioning.

    Args:
        url: the URL by which this process reaches Flipt.
        token: a token that may manage flags and create tokens.
        public_url: the URL by which the application reaches Flipt, where it is another.
        seconds: how long one answer may take.
    """

    # Not shown: a URL may hold a password, until `check` refuses it.
    url: str = field(repr=False)
    token: str = field(repr=False)
    public_url: str = field(default="", repr=False)
    seconds: float = 10.0

    @property
    def api_host(self) -> str:
        """What the application finds in its secret as `flipt_api_host`."""
        return self.public_url or self.url

    def check(self) -> None:
        """Find what can't work before anything is asked.

        Raises:
            ProvisionError: names the variable, never the token.
        """
        _require_url(_is_url(self.url) and _is_url(self.api_host), "FLIPT_API_HOST")
        _require_token(is_token(self.token), "FLIPT_API_TOKEN")


def is_token(text: str) -> bool:
    """Whether a header can carry this as a token: the HTTP client would quote it in its error."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _is_url(url: str) -> bool:
    """Whether this is a server's URL, without credentials that would end up in messages."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    whole = parts.scheme in {"http", "https"} and bool(parts.hostname)
    return plain and whole and url.isprintable() and " " not in url


def _require_url(fits: bool, variable: str) -> None:
    if not fits:
        raise ProvisionError(
            f"{variable} is not the URL of a server.",
            remedy=f"Write {variable} as http(s)://host:port, without user, password and query.",
        )


def _require_token(fits: bool, variable: str) -> None:
    if not fits:
        raise ProvisionError(
            f"{variable} is empty, or holds white space or characters that no token has.",
            remedy=f"Set {variable} to an administrator's token, as it was issued.",
        )


def _require_name(value: str, pattern: re.Pattern[str], variable: str, example: str) -> None:
    if not pattern.fullmatch(value):
        raise ProvisionError(
            f"{variable} is {value!r}, but only letters, digits and -_. are taken here.",
            remedy=f"Set {variable} to something like {example}.",
        )
