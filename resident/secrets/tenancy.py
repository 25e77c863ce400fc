"""The token that a worker holds at Vault: who it is from, how it is renewed, how it ends."""

import time
from contextlib import suppress

import hvac

from resident.exceptions import SecretsError
from resident.secrets.failures import EXPECTED, INTERNAL_ERROR, Step
from resident.secrets.lease import Lease, Pauses, Standing
from resident.secrets.logins import Login
from resident.secrets.value import Secret

__all__ = ["Tenancy"]

REFUSED_SECONDS = 30.0
MOST_REFUSED_SECONDS = 300.0


class Tenancy:
    """One client's stay with Vault, from its first login until its token is revoked.

    A login that Vault refuses is not tried again within 30 seconds, then 60, and so on up to five
    minutes, whoever asks for it: five wrong ones lock an account. Another credential is another
    login.

    Args:
        client: holds the token.
        login: how to get one.
        addr: Vault's URL, for errors.
    """

    def __init__(self, client: hvac.Client, login: Login, addr: str) -> None:
        self._client = client
        self._login = login
        self._addr = addr
        self._lease: Lease | None = None
        self._token = Secret("")
        self._logins = 0
        self._renewals = 0
        self._was_accepted = False
        self._refusal: SecretsError | None = None
        self._refused_until = 0.0
        self._pauses = Pauses(REFUSED_SECONDS, MOST_REFUSED_SECONDS)
        self._has_ended = False

    @property
    def standing(self) -> Standing:
        """What metrics tell about it."""
        return Standing(self._lease, self._logins, self._renewals)

    def begin(self) -> None:
        """Log in, unless that is done. Raises `SecretsError`."""
        if self._lease is None or self._login.has_changed():
            self._log_in()

    def accepted(self) -> None:
        """Vault has taken the token: should it refuse it later, then that is news."""
        self._was_accepted = True

    def begin_anew(self, refusal: SecretsError) -> None:
        """Log in because Vault refuses the token.

        A token that Vault has never taken is as good as the next one: what is missing is a policy,
        and no login will bring it, so that the refusal is raised instead; but for one login in
        five minutes, as whoever logs in then may have been given other policies.
        """
        if not self._was_accepted and time.monotonic() < self._began + MOST_REFUSED_SECONDS:
            raise refusal
        self._log_in()

    def go_on(self) -> None:
        """Renew the token, or log in where a renewal would not help. Raises `SecretsError`."""
        if self._lease is None or self._login.has_changed():
            self._log_in()
        elif self._lease.is_to_be_renewed(time.monotonic()):
            self._renew(self._lease)
        else:
            self._log_in()

    def end(self) -> None:
        """Revoke the token if it is this worker's own; where Vault is away, it ends by itself."""
        self._has_ended = True
        self._revoke()

    @property
    def _began(self) -> float:
        return self._lease.began if self._lease else 0.0

    def _log_in(self) -> None:
        began = time.monotonic()
        is_too_early = began < self._refused_until and not self._login.has_changed()
        if self._refusal is not None and is_too_early:
            raise self._refusal.with_traceback(None)  # which would grow each time
        try:
            answer = self._login_step.ask(lambda: self._login(self._client))
        except SecretsError as error:
            self._remember(error)
            raise
        self._refusal = None
        self._pauses.end()
        self._lease = Lease.granted(answer["auth"], began)
        # As long as it is held here, it is blotted out of what anybody logs.
        self._token = Secret(answer["auth"]["client_token"])
        self._logins += 1
        self._was_accepted = False
        if self._has_ended:
            self._revoke()

    def _remember(self, error: SecretsError) -> None:
        if not error.passing:
            self._refusal = error
            self._refused_until = time.monotonic() + self._pauses.next()

    def _renew(self, lease: Lease) -> None:
        began = time.monotonic()
        try:
            answer = self._renewal_step.ask(self._client.auth.token.renew_self)
        except SecretsError as error:
            # Vault answers 500 to the renewal of a token that is at its end, or lost a policy.
            if error.passing and error.kind != INTERNAL_ERROR:
                raise
            is_over = True
        else:
            is_over = False
            self._lease = Lease.granted(answer["auth"], began, before=lease)
            self._renewals += 1
        if is_over:
            self._log_in()

    def _revoke(self) -> None:
        if self._lease and self._login.owns_token and not self._lease.is_batch:
            with suppress(*EXPECTED):
                self._client.auth.token.revoke_self()

    @property
    def _login_step(self) -> Step:
        return Step(
            self._addr,
            answer_has="auth",
            tried=f"to log in with {self._login}",
            refused=f"refuses the login with {self._login}",
            remedy=self._login.remedy,
        )

    @property
    def _renewal_step(self) -> Step:
        return Step(
            self._addr,
            answer_has="auth",
            tried="to renew the token",
            refused="does not renew the token",
            remedy="nothing: the worker logs in anew.",
        )
