"""The token of a worker at a real Vault: renewed, replaced, revoked."""

import time
from collections.abc import Iterator
from typing import Any

import hvac
import pytest

from resident.exceptions import SecretsError
from resident.secrets import Secret
from resident.secrets.lease import Lease
from resident.secrets.vault import Vault
from tests.evidence import PASSWORD, WRONG_PASSWORD
from tests.secrets.conftest import POLICY
from tests.secrets.reading import AUTH
from tests.servers import Impostor, VaultServer

RENEWALS = "auth/token/renew-self"
REVOCATIONS = "auth/token/revoke-self"


@pytest.fixture
def short(vault: VaultServer) -> VaultServer:
    """A Vault whose user has tokens of two seconds, and of three at most."""
    set_up(vault, token_ttl="2s", token_max_ttl="3s")
    return vault


@pytest.fixture
def source(short: VaultServer) -> Iterator[Vault]:
    source = Vault(addr=short.addr, auth=AUTH, deadline=1.0)
    yield source
    source.close()


def set_up(vault: VaultServer, **user: Any) -> None:
    with vault.client() as admin:
        admin.auth.userpass.create_or_update_user(
            "demoapp", PASSWORD, **{"policies": ["demoapp"], **user}
        )


def token_of(source: Vault) -> str:
    return str(source._client.token)


def lease_of(source: Vault) -> Lease:
    assert source.standing.lease is not None
    return source.standing.lease


def lives(vault: VaultServer, token: str) -> bool:
    with vault.client(token) as client:
        try:
            client.auth.token.lookup_self()
        except hvac.exceptions.Forbidden:
            return False
        return True


def counts(source: Vault) -> tuple[int, int]:
    return source.standing.logins, source.standing.renewals


def past(vault: VaultServer, token: str) -> None:
    """Wait until the server has ended the token."""
    ends = time.monotonic() + 10
    while lives(vault, token):
        assert time.monotonic() < ends
        time.sleep(0.05)


class TestRenewing:
    @pytest.mark.slow
    def test_gives_a_whole_lease_and_at_the_end_less(
        self, source: Vault, short: VaultServer
    ) -> None:
        """Then the next time it logs in, before the token ends, and reads without a refusal."""
        source.read()
        assert lease_of(source).seconds == 2
        first = token_of(source)
        time.sleep(0.3)
        source.tend()
        assert counts(source) == (1, 1)
        assert not lease_of(source).is_short
        time.sleep(1.7)
        source.tend()
        assert lease_of(source).is_short
        source.tend()
        assert counts(source) == (2, 2)
        assert token_of(source) != first
        assert source.refresh()["token"].reveal() == "t0ken"
        assert short.logins() == 2

    def test_counts_from_before_the_question(self, source: Vault) -> None:
        began = time.monotonic()
        source.read()
        assert began <= lease_of(source).began <= began + 0.5
        assert lease_of(source).left(began + 1.9) > 0

    def test_keeps_the_token_where_vault_is_away(self, source: Vault, vault: VaultServer) -> None:
        """A renewal that failed is tried again, with the same token, and succeeds."""
        source.read()
        token = token_of(source)
        vault.seal()
        with pytest.raises(SecretsError, match="sealed"):
            source.tend()
        assert token_of(source) == token
        vault.unseal()
        source.tend()
        assert counts(source) == (1, 1)

    @pytest.mark.slow
    def test_logs_in_where_a_renewal_comes_too_late(
        self, source: Vault, short: VaultServer
    ) -> None:
        source.read()
        time.sleep(1.85)
        source.tend()
        assert counts(source) == (2, 0)
        assert len(short.requests(RENEWALS)) == 0

    def test_logs_in_where_the_token_was_revoked(self, source: Vault, short: VaultServer) -> None:
        source.read()
        with short.client() as admin:
            admin.auth.token.revoke(token_of(source))
        source.tend()
        assert counts(source) == (2, 0)
        assert source.refresh()["token"].reveal() == "t0ken"

    def test_a_batch_token_is_not_renewed_and_not_revoked(self, vault: VaultServer) -> None:
        set_up(vault, token_type="batch", token_ttl="60s")
        before = len(vault.requests(REVOCATIONS))
        source = Vault(addr=vault.addr, auth=AUTH)
        source.read()
        assert lease_of(source).is_batch
        source.tend()
        assert counts(source) == (2, 0)
        source.close()
        assert not vault.requests(RENEWALS)
        assert len(vault.requests(REVOCATIONS)) == before


class TestRefusal:
    @pytest.mark.slow
    def test_a_token_that_ended_takes_one_login_and_one_try(
        self, source: Vault, short: VaultServer
    ) -> None:
        source.read()
        past(short, token_of(source))
        before = len(short.requests("secret/data/"))
        assert source.refresh()["token"].reveal() == "t0ken"
        assert short.logins() == 2
        assert len(short.requests("secret/data/")) == before + 2

    def test_a_policy_that_is_lost_is_no_storm_of_logins(self, vault: VaultServer) -> None:
        source = Vault(addr=vault.addr, auth=AUTH)
        source.read()
        with vault.client() as admin:
            admin.sys.delete_policy("demoapp")
        for _ in range(5):
            with pytest.raises(SecretsError, match="does not let this login read") as caught:
                source.refresh()
            assert caught.value.kind == "refused"
        assert vault.logins() == 2
        with vault.client() as admin:
            admin.sys.create_or_update_policy("demoapp", POLICY)
        assert source.refresh()["token"].reveal() == "t0ken"
        assert vault.logins() == 2
        source.close()

    def test_after_five_minutes_a_login_may_have_other_policies(
        self, vault: VaultServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        set_up(vault, policies=["other"])
        source = Vault(addr=vault.addr, auth=AUTH)
        with pytest.raises(SecretsError):
            source.read()
        set_up(vault, policies=["demoapp"])
        with pytest.raises(SecretsError):
            source.refresh()
        monkeypatch.setattr("resident.secrets.tenancy.MOST_REFUSED_SECONDS", 0.0)
        assert source.refresh()["token"].reveal() == "t0ken"
        assert vault.logins() == 2
        source.close()

    @pytest.mark.slow
    def test_a_refused_login_is_not_tried_again_soon(
        self, source: Vault, short: VaultServer
    ) -> None:
        source.read()
        past(short, token_of(source))
        with short.client() as admin:
            admin.auth.userpass.update_password_on_user("demoapp", WRONG_PASSWORD)
        for _ in range(20):
            with pytest.raises(SecretsError, match="refuses the login"):
                source.refresh()
            with pytest.raises(SecretsError, match="refuses the login"):
                source.tend()
        assert short.logins() == 2, "the first, and one that was refused"
        with short.client() as admin:
            admin.auth.userpass.update_password_on_user("demoapp", PASSWORD)
        source._tenancy._refused_until = 0.0  # half a minute later
        assert source.refresh()["token"].reveal() == "t0ken"
        assert short.logins() == 3

    @pytest.mark.slow
    def test_a_login_while_vault_is_away_is_tried_again_at_once(
        self, source: Vault, short: VaultServer
    ) -> None:
        source.read()
        short.seal()
        time.sleep(1.85)
        with pytest.raises(SecretsError, match="sealed"):
            source.tend()
        short.unseal()
        source.tend()
        assert counts(source) == (2, 0)

    def test_a_locked_account_is_asked_once(self, vault: VaultServer) -> None:
        """The right password is refused like a wrong one, and each try would count."""
        wrong = {"username": "demoapp", "password": Secret(WRONG_PASSWORD)}
        for _ in range(5):
            locking = Vault(addr=vault.addr, auth=wrong)
            with pytest.raises(SecretsError, match="refuses the login"):
                locking.read()
            locking.close()
        source = Vault(addr=vault.addr, auth=AUTH)
        for _ in range(10):
            with pytest.raises(SecretsError, match="refuses the login") as caught:
                source.read()
        assert "Vault locks an account after five wrong passwords" in caught.value.remedy
        assert vault.logins() == 5 + 1
        source.close()

    def test_the_pause_after_refusals_grows(self, vault: VaultServer) -> None:
        wrong = {"username": "demoapp", "password": Secret(WRONG_PASSWORD)}
        source = Vault(addr=vault.addr, auth=wrong)
        pauses = []
        for _ in range(3):
            source._tenancy._refused_until = 0.0
            with pytest.raises(SecretsError):
                source.tend()
            pauses.append(source._tenancy._refused_until - time.monotonic())
        assert [round(pause / 30) for pause in pauses] == [1, 2, pytest.approx(4, abs=1)]
        source.close()


class TestEnd:
    def test_revokes_the_token_that_it_made(self, vault: VaultServer) -> None:
        source = Vault(addr=vault.addr, auth=AUTH)
        source.read()
        token = token_of(source)
        assert lives(vault, token)
        source.close()
        assert not lives(vault, token)

    def test_leaves_a_token_alone_that_it_was_given(self, vault: VaultServer) -> None:
        with vault.client() as admin:
            given = admin.auth.token.create(policies=["demoapp"], ttl="60s")["auth"]["client_token"]
        source = Vault(addr=vault.addr, auth={"method": "token", "token": Secret(given)})
        source.read()
        source.tend()
        assert counts(source) == (1, 1)
        source.close()
        assert lives(vault, given)

    def test_takes_a_second_where_vault_hangs(self, vault: VaultServer) -> None:
        source = Vault(addr=vault.addr, auth=AUTH)
        source.read()
        vault.suspend()
        began = time.monotonic()
        source.close()
        vault.resume()
        assert time.monotonic() - began < 1.5

    def test_a_login_that_succeeds_after_the_end_is_revoked(self, vault: VaultServer) -> None:
        source = Vault(addr=vault.addr, auth=AUTH)
        source.close()
        source.tend()
        assert not lives(vault, token_of(source))
        source._session.close()


@pytest.mark.parametrize("login", [200, 500])
def test_a_renewal_that_is_an_internal_error_leads_to_one_login(login: int) -> None:
    """As where the token is at its end, or lost a policy; or where the server is not well."""
    auth = {"client_token": WRONG_PASSWORD, "lease_duration": 60, "renewable": True}
    path = "/v1/auth/userpass/login/demoapp"
    routes = {path: (200, {"auth": auth}), "/v1/auth/token/renew-self": (500, {"errors": ["past"]})}
    with Impostor(200, {"data": {"data": {}, "metadata": {"version": 1}}}, routes=routes) as server:
        source = Vault(addr=server.addr, auth=AUTH, kv_version=2)
        source.read()
        server._routes[path] = (login, {"auth": auth})
        if login == 500:
            with pytest.raises(SecretsError, match="internal error"):
                source.tend()
        else:
            source.tend()
            assert counts(source) == (2, 0)
        assert server.asked.count(f"POST {path}") == 2
        source.close()


def test_an_answer_to_a_renewal_that_is_none_leads_to_a_login() -> None:
    """As the server's, 204, when the user of the token is deleted."""
    auth = {"client_token": WRONG_PASSWORD, "lease_duration": 60, "renewable": True}
    routes = {
        "/v1/auth/userpass/login/demoapp": (200, {"auth": auth}),
        "/v1/auth/token/renew-self": (204, b""),
    }
    with Impostor(200, {"data": {"data": {}, "metadata": {"version": 1}}}, routes=routes) as server:
        source = Vault(addr=server.addr, auth=AUTH, kv_version=2)
        source.read()
        source.tend()
        assert counts(source) == (2, 0)
        source.close()
