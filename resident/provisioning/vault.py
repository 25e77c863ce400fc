"""The tutorial's set-up of Vault: a secret, and a user who may read that and nothing else."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import hvac
import tenacity
from hvac import exceptions as refusals

from resident.exceptions import ProvisionError
from resident.provisioning.failures import Server, quote, session, timeout
from resident.provisioning.report import Step
from resident.provisioning.targets import VaultTarget

HOST_KEY = "flipt_api_host"
TOKEN_KEY = "flipt_api_token"  # noqa: S105 - the name of a key, not a token

# A KV engine that was enabled a moment ago still prepares its storage.
_MOUNT_SECONDS = 5

_NO_CONTENT = 204

# What hvac raises where it takes an answer for one of Vault's.
_ODD = (AttributeError, KeyError, TypeError, ValueError)

Call = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Contents:
    """What the secret is to hold so that the application finds its Flipt."""

    host: str
    token: str = field(repr=False)

    def items(self) -> dict[str, str]:
        """By the names that the secret has for them."""
        return {HOST_KEY: self.host, TOKEN_KEY: self.token}


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """The secret as Vault held it when it was read: its version, and what is in it.

    Version 0 is a secret that never was: what `cas` expects for the first write.
    """

    version: int
    data: Mapping[str, Any] | None = field(repr=False)

    @property
    def token(self) -> str:
        """The token that the application uses against Flipt; empty where there is none."""
        token = (self.data or {}).get(TOKEN_KEY)
        return token if isinstance(token, str) else ""

    def lacks(self, wanted: Contents) -> list[str]:
        """The keys that are not there, or with another value."""
        data = self.data or {}
        return [key for key, value in wanted.items().items() if data.get(key) != value]

    def merged(self, wanted: Contents) -> dict[str, Any]:
        """Everything that is there, with what is wanted in it."""
        return {**(self.data or {}), **wanted.items()}


class VaultAdministrator:
    """Vault as its administrator sees it. Lives as long as one provisioning.

    Each public method does one thing, is idempotent, and tells what it did.

    Raises:
        ProvisionError: Vault can't be reached, refuses, or holds something else where
            this was to be. No secret is in its message, its context or its frames.
    """

    def __init__(self, target: VaultTarget) -> None:
        self._target = target
        self._server = Server(
            "Vault",
            target.addr,
            "VAULT_ADDR",
            "Point VAULT_CACERT to a file with the authority that signed its certificate, and "
            "use a host in VAULT_ADDR that the certificate names.",
            target.seconds,
        )
        self._admin = self._client(target.token)
        # The empty token keeps hvac from picking up the administrator's from the environment.
        self._reader = self._client("")
        self._accessor = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Revoke the token of the user's login, if there was one, and hang up."""
        if self._reader.token:
            # That the login worked has been told; a token that can't be revoked expires.
            with contextlib.suppress(refusals.VaultError, OSError, *_ODD):
                self._reader.auth.token.revoke_self()
        self._reader.adapter.close()
        self._admin.adapter.close()

    @property
    def username(self) -> str:
        """The user who reads the secret."""
        return self._target.username

    def check(self) -> None:
        """Ask who the token belongs to, so that nothing is begun that can't be finished."""
        tried = "looking up the administrator's token"
        if not _part(self._ask(tried, self._admin.auth.token.lookup_self)):
            raise self._server.foreign(tried)

    def mount(self) -> Step:
        """A KV engine of version 2 at the mount; enabled where nothing is mounted."""
        mount = self._target.mount
        what = f"KV v2 engine at {mount}/"
        engines = self._ask("listing the engines", self._admin.sys.list_mounted_secrets_engines)
        engine = _part(engines, f"{mount}/")
        if engine:
            self._check_engine(engine)
            return Step(what, "stands")
        self._ask(
            f"enabling a KV v2 engine at {mount}/",
            lambda: self._admin.sys.enable_secrets_engine(
                "kv", path=mount, options={"version": "2"}
            ),
        )
        self._ask(f"waiting for the engine at {mount}/", self._wait_for_mount)
        return Step(what, "created")

    def policy(self) -> Step:
        """The ACL policy that allows reading the secret, and nothing else."""
        name, rules = self._target.policy, _policy_rules(self._target)
        what = f"policy {name}"
        found = self._find(
            f"reading the policy {name}", lambda: self._admin.sys.read_acl_policy(name)
        )
        standing = _part(found).get("policy")
        if standing is None:
            self._ask(
                f"writing the policy {name}",
                lambda: self._admin.sys.create_or_update_acl_policy(name, rules),
            )
            return Step(what, "created")
        if _words(standing) == _words(rules):
            return Step(what, "stands")
        return Step(what, "differs", "it holds other rules; left alone")

    def userpass(self) -> Step:
        """The auth method userpass at its usual path."""
        what = "auth method userpass"
        list_methods = self._admin.sys.list_auth_methods
        methods = self._ask("listing the auth methods", list_methods)
        outcome = Step(what, "stands")
        if not _part(methods, "userpass/"):
            self._ask("enabling userpass", lambda: self._admin.sys.enable_auth_method("userpass"))
            methods = self._ask("listing the auth methods", list_methods)
            outcome = Step(what, "created")
        method = _part(methods, "userpass/")
        if method.get("type") != "userpass":
            raise self._server.error(
                f"has the auth method {method.get('type')} at the path userpass/.",
                "listing the auth methods",
                "Move that method to another path: `vault auth move`.",
            )
        self._accessor = str(method.get("accessor", ""))
        return outcome

    def user(self) -> Step:
        """The user, with the policy, and with a password that was tried.

        A wrong password is tried once: after five, Vault locks the user out.
        """
        username = self._target.username
        what = f"user {username} of userpass"
        found = self._find(
            f"reading the user {username}",
            lambda: self._admin.auth.userpass.read_user(username),
        )
        if not _part(found):
            self._create_user()
            self._expect_login()
            return Step(what, "created")
        added = self._add_policy(_part(found))
        if not self._log_in():
            self._write_password()
            self._expect_login()
            added.append("password set")
        if added:
            return Step(what, "updated", ", ".join(added))
        return Step(what, "stands")

    def read_secret(self) -> StoredSecret:
        """The secret with its version; without data where it is missing or was deleted."""
        target = self._target
        found = self._find(
            f"reading the secret {target.path}",
            lambda: self._admin.secrets.kv.v2.read_secret_version(
                target.key, mount_point=target.mount, raise_on_deleted_version=True
            ),
        )
        version = _part(found, "metadata").get("version", 0)
        data = _part(found).get("data")
        return StoredSecret(version, data if isinstance(data, dict) else None)

    def write_secret(self, stored: StoredSecret, wanted: Contents) -> Step:
        """The secret with these contents in it; what else it holds stays.

        Args:
            stored: the secret as it was read; a version that came in between is an error.
            wanted: what provisioning answers for.
        """
        target = self._target
        what = f"secret {target.path}"
        changed = stored.lacks(wanted)
        if not changed:
            return Step(what, "stands")
        self._ask(
            f"writing the secret {target.path} over version {stored.version}",
            lambda: self._admin.secrets.kv.v2.create_or_update_secret(
                target.key,
                secret=stored.merged(wanted),
                cas=stored.version,
                mount_point=target.mount,
            ),
            remedy="If another writes this secret as well, run provision again.",
        )
        if stored.data is None:
            return Step(what, "created")
        return Step(what, "updated", f"{', '.join(changed)} set")

    def check_login(self) -> Step:
        """What the application will do: read the secret with the user's login."""
        target = self._target
        tried = f"reading the secret {target.path} as {target.username}"
        answer = self._ask(
            tried,
            lambda: self._reader.secrets.kv.v2.read_secret_version(
                target.key, mount_point=target.mount, raise_on_deleted_version=True
            ),
            refused=self._server.error(
                f"does not let {target.username} read {target.path}.",
                tried,
                f"Let the policy {target.policy} say: {_words(_policy_rules(target))}",
            ),
        )
        missing = {HOST_KEY, TOKEN_KEY} - _part(answer, "data").keys()
        # An error's traceback may show the variables of its frames.
        del answer
        if missing:
            raise self._server.error(
                f"holds a secret {target.path} without {' and '.join(sorted(missing))}.",
                tried,
                "Write them into the secret, or run provision with Flipt.",
            )
        return Step(f"login of {target.username} reads {target.path}", "stands")

    def _client(self, token: str) -> hvac.Client:
        connections = session(self._target.seconds)
        # hvac passes its own `verify` over where it is given a session.
        connections.verify = self._target.cacert or True
        return hvac.Client(
            self._target.addr,
            token=token,
            timeout=timeout(self._target.seconds),
            allow_redirects=False,
            session=connections,
            namespace=self._target.namespace or None,
        )

    def _check_engine(self, engine: Mapping[str, Any]) -> None:
        kind, options = engine.get("type"), engine.get("options") or {}
        if kind == "kv" and options.get("version") == "2":
            return
        version = " of version 1" if kind == "kv" else ""
        raise self._server.error(
            f"has an engine {kind}{version} at {self._target.mount}/; KV version 2 is needed.",
            "listing the engines",
            "Name another mount in VAULT_SECRET_PATH; it is created with version 2.",
        )

    def _wait_for_mount(self) -> Any:
        wait = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(refusals.InvalidRequest),
            wait=tenacity.wait_fixed(0.05),
            stop=tenacity.stop_after_delay(_MOUNT_SECONDS),
            reraise=True,
        )
        return wait(self._admin.secrets.kv.v2.read_configuration, self._target.mount)

    def _add_policy(self, user: Mapping[str, Any]) -> list[str]:
        policies = list(user.get("token_policies") or [])
        if self._target.policy in (policy.lower() for policy in policies):
            return []
        self._write_policies([*policies, self._target.policy])
        return [f"policy {self._target.policy} added"]

    def _create_user(self) -> None:
        target = self._target
        self._ask(
            f"creating the user {target.username}",
            lambda: self._admin.auth.userpass.create_or_update_user(
                target.username, target.password, token_policies=[target.policy]
            ),
        )

    def _write_policies(self, policies: list[str]) -> None:
        username = self._target.username
        self._ask(
            f"giving the user {username} another policy",
            lambda: self._admin.auth.userpass.create_or_update_user(
                username, token_policies=policies
            ),
        )

    def _write_password(self) -> None:
        target = self._target
        self._ask(
            f"setting the password of {target.username}",
            lambda: self._admin.auth.userpass.update_password_on_user(
                target.username, target.password
            ),
        )

    def _log_in(self) -> bool:
        """Try the password once; False where Vault calls it wrong."""
        target = self._target
        tried = f"logging in as {target.username}, once"
        unlock = f"sys/locked-users/{self._accessor}/unlock/{target.username}"
        try:
            self._ask(
                tried,
                lambda: self._reader.auth.userpass.login(target.username, target.password),
                refused=self._server.error(
                    f"does not let {target.username} log in; it locks a user out for 15 minutes "
                    "after five wrong passwords.",
                    tried,
                    f"Wait, or `vault write -f {unlock}`; then run provision again.",
                ),
            )
        except _BadRequestError:
            return False
        return True

    def _expect_login(self) -> None:
        if self._log_in():
            return
        raise self._server.error(
            f"refuses the password of {self._target.username} that was set a moment ago.",
            f"logging in as {self._target.username}, once",
            "See whether another sets that password at the same time, and to what.",
        )

    def _find(self, tried: str, call: Call) -> dict[str, Any]:
        """What `_ask` gives, and what Vault says of a thing that is not there."""
        return self._ask(tried, call, absent=True)

    def _ask(
        self,
        tried: str,
        call: Call,
        *,
        absent: bool = False,
        refused: ProvisionError | None = None,
        remedy: str = "",
    ) -> dict[str, Any]:
        """Vault's answer to one call; empty where it has nothing to say.

        The call hides its arguments from whoever prints this frame, and the failure is
        raised after the exception that caused it is gone.
        """
        answer: Any = None
        failure: ProvisionError | None = None
        try:
            answer = call()
        except refusals.VaultError as error:
            if absent and isinstance(error, refusals.InvalidPath):
                return _document(error.json)
            failure = self._refusal(error, tried, refused, remedy)
        except OSError as error:
            failure = self._server.unreachable(error, tried)
        except _ODD:
            failure = self._server.foreign(tried)
        failure = failure or self._oddity(answer, tried)
        if failure:
            raise failure
        return _document(answer)

    def _refusal(
        self,
        error: refusals.VaultError,
        tried: str,
        refused: ProvisionError | None,
        remedy: str,
    ) -> ProvisionError:
        if error.errors is None:
            # Vault's refusals are JSON with a list of errors, also an empty one.
            return self._server.foreign(tried)
        if isinstance(error, refusals.Forbidden):
            return refused or self._forbidden(tried)
        if isinstance(error, refusals.VaultDown):
            return self._server.error(
                "is sealed, or in standby.", tried, "Unseal it: `vault operator unseal`."
            )
        if isinstance(error, refusals.VaultNotInitialized):
            return self._server.error(
                "is not initialised.", tried, "Initialise it: `vault operator init`."
            )
        said = quote(", ".join(error.errors), self._secrets())
        kind = _BadRequestError if isinstance(error, refusals.InvalidRequest) else ProvisionError
        return kind(
            f"Vault at {self._target.addr} refused: {type(error).__name__} {said}".rstrip(),
            tried=tried,
            remedy=remedy or "Correct what it names; VAULT_ADDR may also lead elsewhere.",
        )

    def _forbidden(self, tried: str) -> ProvisionError:
        """Vault says the same of a wrong token as of a missing right: ask about the token."""
        try:
            self._admin.auth.token.lookup_self()
        except (refusals.VaultError, OSError, *_ODD):
            return self._server.error(
                "refuses the administrator's token: it is wrong, expired or revoked.",
                tried,
                "Set VAULT_TOKEN to a token that is alive (`vault token lookup` shows it).",
            )
        return self._server.error(
            "knows the administrator's token, but does not allow it this.",
            tried,
            "Set VAULT_TOKEN to a token whose policies allow it.",
        )

    def _oddity(self, answer: Any, tried: str) -> ProvisionError | None:
        """A Response is what hvac returns where there was no JSON: for 204, for another's HTML."""
        if isinstance(answer, dict) or getattr(answer, "status_code", None) == _NO_CONTENT:
            return None
        return self._server.foreign(tried)

    def _secrets(self) -> list[str]:
        return [self._target.token, self._target.password]


class _BadRequestError(ProvisionError):
    """Vault calls the request itself wrong: among others, a wrong password."""


def _policy_rules(target: VaultTarget) -> str:
    return f'path "{target.mount}/data/{target.key}" {{\n  capabilities = ["read"]\n}}\n'


def _words(text: str) -> str:
    """A policy without its line breaks, which mean nothing in it."""
    return " ".join(text.split())


def _document(answer: Any) -> dict[str, Any]:
    return answer if isinstance(answer, dict) else {}


def _part(answer: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
    """What Vault answered under `data`, or under a key of that; empty where there is none."""
    data = _document(answer.get("data"))
    return data if key is None else _document(data.get(key))
