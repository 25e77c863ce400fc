"""Vault, from nothing, from halves of a set-up, and from what others made of it."""

from collections.abc import Callable, Iterator

import hvac
import pytest
from hvac import exceptions as refusals

from resident.provisioning import FliptTarget, Step, VaultTarget, provision
from resident.provisioning.vault import Contents, VaultAdministrator
from resident.testing import FakeFlipt
from tests.evidence import PASSWORD, ROOT_TOKEN, WRONG_PASSWORD
from tests.provisioning.conftest import EmptyVault
from tests.provisioning.discretion import discreet_failure
from tests.servers import Impostor, VaultServer, free_port

RULES = 'path "secret/data/demoapp" { capabilities = ["read"] }'
EVERYTHING = [
    "KV v2 engine at secret/",
    "policy demoapp",
    "auth method userpass",
    "user demoapp of userpass",
    "namespace default",
    "API token of Flipt",
    "secret secret/demoapp",
    "login of demoapp reads secret/demoapp",
]


def run(vault: VaultTarget | None, flipt: FliptTarget | None) -> list[Step]:
    """All steps, with one document that has no flags: it brings Flipt's default namespace."""
    return list(provision(vault, flipt, [{"namespace": "default"}]))


def told(steps: list[Step], *outcomes: str) -> list[str]:
    """What was told of each thing that came out so."""
    return [step.what for step in steps if step.outcome in outcomes]


@pytest.fixture
def done(vault: EmptyVault, flipt_target: FliptTarget) -> EmptyVault:
    """A Vault after its first provisioning."""
    run(vault.target(), flipt_target)
    return vault


@pytest.fixture
def application(done: EmptyVault) -> Iterator[hvac.Client]:
    """The application, logged in."""
    with done.server.client("", namespace=done.namespace) as client:
        client.auth.userpass.login("demoapp", PASSWORD)
        yield client


class TestFirstRun:
    def test_everything_is_told_in_its_order(
        self, vault: EmptyVault, flipt_target: FliptTarget
    ) -> None:
        steps = run(vault.target(), flipt_target)
        assert [step.what for step in steps] == EVERYTHING
        assert told(steps, "stands") == ["namespace default", EVERYTHING[-1]]
        assert told(steps, "created") == [*EVERYTHING[:4], *EVERYTHING[5:7]]

    def test_the_application_reads_its_secret(
        self, application: hvac.Client, flipt: FakeFlipt, done: EmptyVault
    ) -> None:
        answer = application.secrets.kv.v2.read_secret_version(
            "demoapp", raise_on_deleted_version=True
        )
        assert answer["data"]["data"] == done.secret()
        assert done.secret()["flipt_api_host"] == flipt.url
        assert set(done.secret()) == {"flipt_api_host", "flipt_api_token"}

    @pytest.mark.parametrize(
        "attempt",
        [
            lambda kv: kv.read_secret_version("other", raise_on_deleted_version=True),
            lambda kv: kv.read_secret_metadata("demoapp"),
            lambda kv: kv.list_secrets(""),
            lambda kv: kv.create_or_update_secret("demoapp", {"flipt_api_host": "elsewhere"}),
            lambda kv: kv.delete_latest_version_of_secret("demoapp"),
        ],
        ids=["another secret", "metadata", "list", "write", "delete"],
    )
    def test_the_application_does_nothing_else(
        self, application: hvac.Client, attempt: Callable[[object], object]
    ) -> None:
        with pytest.raises(refusals.Forbidden):
            attempt(application.secrets.kv.v2)

    def test_a_path_with_more_elements_and_capitals(
        self, vault: EmptyVault, flipt_target: FliptTarget
    ) -> None:
        target = vault.target(path="kv/team/DemoApp", username="demo.app-1")
        run(target, flipt_target)
        assert told(run(target, flipt_target), "created", "updated", "differs") == []
        assert set(vault.secret("team/DemoApp", "kv")) == {"flipt_api_host", "flipt_api_token"}

    def test_the_application_may_reach_flipt_by_another_url(
        self, vault: EmptyVault, flipt: FakeFlipt, flipt_target: FliptTarget
    ) -> None:
        target = FliptTarget(
            url=f"{flipt.url}/", token=flipt_target.token, public_url="http://flipt:8080"
        )
        run(vault.target(), target)
        assert vault.secret()["flipt_api_host"] == "http://flipt:8080"

    def test_over_tls(self, flipt_target: FliptTarget) -> None:
        with VaultServer(root_token=ROOT_TOKEN, tls=True) as server:
            target = VaultTarget(
                addr=server.addr,
                token=ROOT_TOKEN,
                username="demoapp",
                password=PASSWORD,
                cacert=server.cacert,
            )
            assert told(run(target, flipt_target), "created") == [
                *EVERYTHING[1:4],
                *EVERYTHING[5:7],
            ]


class TestSecondRun:
    def test_everything_stands(self, done: EmptyVault, flipt_target: FliptTarget) -> None:
        steps = run(done.target(), flipt_target)
        assert told(steps, "stands") == EVERYTHING

    def test_nothing_is_written_but_one_login(
        self, done: EmptyVault, flipt_target: FliptTarget
    ) -> None:
        before = len(done.writes())
        run(done.target(), flipt_target)
        assert done.writes()[before:] == ["auth/userpass/login/demoapp", "auth/token/revoke-self"]

    def test_the_token_of_the_check_dies_with_it(
        self, done: EmptyVault, flipt_target: FliptTarget
    ) -> None:
        standing = done.admin.auth.token.create()["auth"]["accessor"]
        run(done.target(), flipt_target)
        assert done.admin.list("auth/token/accessors")["data"]["keys"] == [standing]

    def test_what_the_tutorial_made_by_hand_stands(
        self, vault: EmptyVault, flipt_target: FliptTarget
    ) -> None:
        vault.admin.sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
        vault.admin.sys.create_or_update_acl_policy("demoapp", RULES)
        vault.admin.sys.enable_auth_method("userpass")
        vault.admin.auth.userpass.create_or_update_user("demoapp", PASSWORD, policies="demoapp")
        assert told(run(vault.target(), flipt_target), "stands")[:4] == EVERYTHING[:4]


class TestHalfDone:
    @pytest.mark.parametrize(
        ("lose", "restored"),
        [
            (lambda admin: admin.sys.delete_policy("demoapp"), ["policy demoapp"]),
            (
                lambda admin: admin.auth.userpass.delete_user("demoapp"),
                ["user demoapp of userpass"],
            ),
            (
                lambda admin: admin.sys.disable_auth_method("userpass"),
                ["auth method userpass", "user demoapp of userpass"],
            ),
            (
                lambda admin: admin.secrets.kv.v2.delete_metadata_and_all_versions("demoapp"),
                ["API token of Flipt", "secret secret/demoapp"],
            ),
            (
                lambda admin: admin.secrets.kv.v2.delete_latest_version_of_secret("demoapp"),
                ["API token of Flipt", "secret secret/demoapp"],
            ),
            (
                lambda admin: admin.secrets.kv.v2.destroy_secret_versions("demoapp", [1]),
                ["API token of Flipt", "secret secret/demoapp"],
            ),
        ],
        ids=["policy", "user", "userpass", "secret", "deleted version", "destroyed version"],
    )
    def test_what_was_lost_is_restored_and_nothing_else(
        self,
        done: EmptyVault,
        flipt_target: FliptTarget,
        lose: Callable[[hvac.Client], object],
        restored: list[str],
    ) -> None:
        lose(done.admin)
        assert told(run(done.target(), flipt_target), "created", "updated") == restored
        assert told(run(done.target(), flipt_target), "stands") == EVERYTHING

    def test_a_run_that_was_broken_off_goes_on(
        self, vault: EmptyVault, flipt_target: FliptTarget
    ) -> None:
        broken_off = provision(vault.target(), flipt_target)
        assert [next(broken_off).outcome for _ in range(3)] == ["created"] * 3
        broken_off.close()  # type: ignore[attr-defined]
        steps = run(vault.target(), flipt_target)
        assert told(steps, "stands")[:3] == EVERYTHING[:3]
        assert "user demoapp of userpass" in told(steps, "created")

    def test_what_else_the_secret_holds_stays(
        self, done: EmptyVault, flipt_target: FliptTarget
    ) -> None:
        kept = {"database_url": "postgres://", "flipt_api_host": "http://former:8080"}
        done.admin.secrets.kv.v2.create_or_update_secret("demoapp", done.secret() | kept)
        steps = run(done.target(), flipt_target)
        assert [step.note for step in steps if step.outcome == "updated"] == ["flipt_api_host set"]
        assert done.secret()["database_url"] == "postgres://"
        assert done.secret()["flipt_api_host"] == flipt_target.url
        assert done.read()["metadata"]["version"] == 3

    def test_a_token_that_is_no_string_is_replaced(
        self, done: EmptyVault, flipt_target: FliptTarget
    ) -> None:
        done.admin.secrets.kv.v2.create_or_update_secret("demoapp", {"flipt_api_token": 42})
        run(done.target(), flipt_target)
        assert isinstance(done.secret()["flipt_api_token"], str)


class TestUser:
    def test_another_password_is_tried_once_and_set(
        self, done: EmptyVault, flipt_target: FliptTarget
    ) -> None:
        done.admin.auth.userpass.update_password_on_user("demoapp", WRONG_PASSWORD)
        before = done.logins()
        steps = run(done.target(), flipt_target)
        assert [step.note for step in steps if step.outcome == "updated"] == ["password set"]
        assert done.logins() - before == 2
        assert told(run(done.target(), flipt_target), "stands") == EVERYTHING

    def test_other_policies_stay(self, done: EmptyVault, flipt_target: FliptTarget) -> None:
        done.admin.auth.userpass.create_or_update_user("demoapp", token_policies=["reports"])
        steps = run(done.target(), flipt_target)
        assert [step.note for step in steps if step.outcome == "updated"] == [
            "policy demoapp added"
        ]
        user = done.admin.auth.userpass.read_user("demoapp")["data"]
        assert user["token_policies"] == ["reports", "demoapp"]

    def test_one_who_is_locked_out_is_not_tried_again(
        self, done: EmptyVault, flipt_target: FliptTarget
    ) -> None:
        with done.server.client("", namespace=done.namespace) as stranger:
            for _ in range(5):
                with pytest.raises(refusals.InvalidRequest):
                    stranger.auth.userpass.login("demoapp", WRONG_PASSWORD)
        before = done.logins()
        with discreet_failure("does not let demoapp log in; it locks a user out"):
            run(done.target(), flipt_target)
        assert done.logins() - before == 1

    def test_the_remedy_unlocks(self, done: EmptyVault, flipt_target: FliptTarget) -> None:
        with done.server.client("", namespace=done.namespace) as stranger:
            for _ in range(5):
                with pytest.raises(refusals.InvalidRequest):
                    stranger.auth.userpass.login("demoapp", WRONG_PASSWORD)
        with pytest.raises(Exception, match="vault write -f ") as caught:
            run(done.target(), flipt_target)
        path = str(caught.value).partition("vault write -f ")[2].partition("`")[0]
        done.admin.adapter.put(f"/v1/{path}", json={})
        assert told(run(done.target(), flipt_target), "stands") == EVERYTHING

    def test_a_password_that_vault_never_takes(self) -> None:
        refused = (400, {"errors": ["invalid username or password"]})
        routes = vault_routes() | {"/v1/auth/userpass/login/demoapp": refused}
        with (
            Impostor(routes=routes) as vault,
            discreet_failure("refuses the password of demoapp that was set a moment ago"),
        ):
            run(at(vault.addr), None)
        assert vault.asked.count("POST /v1/auth/userpass/login/demoapp") == 2


class TestOthersWork:
    def test_a_policy_that_allows_more_is_left_alone(
        self, done: EmptyVault, flipt_target: FliptTarget
    ) -> None:
        wider = f'{RULES}\npath "secret/data/shared" {{ capabilities = ["read"] }}'
        done.admin.sys.create_or_update_acl_policy("demoapp", wider)
        steps = run(done.target(), flipt_target)
        assert told(steps, "differs") == ["policy demoapp"]
        assert done.admin.sys.read_acl_policy("demoapp")["data"]["policy"] == wider

    def test_a_policy_that_allows_too_little_is_named(
        self, done: EmptyVault, flipt_target: FliptTarget
    ) -> None:
        done.admin.sys.create_or_update_acl_policy("demoapp", 'path "secret/data/x" {}')
        with discreet_failure(rf"does not let demoapp read secret/demoapp.\n.*\n.*{RULES[:4]}"):
            run(done.target(), flipt_target)

    @pytest.mark.parametrize(
        ("path", "engine"),
        [("secret/demoapp", "kv of version 1"), ("cubbyhole/demoapp", "(ns_)?cubbyhole")],
    )
    def test_another_engine_at_the_mount(self, vault: EmptyVault, path: str, engine: str) -> None:
        vault.admin.sys.enable_secrets_engine("kv", path="secret", options={"version": "1"})
        with discreet_failure(rf"has an engine {engine} at {path[:-8]}/; KV version 2"):
            run(vault.target(path=path), None)

    def test_another_auth_method_at_the_path_of_userpass(self, vault: EmptyVault) -> None:
        vault.admin.sys.enable_auth_method("approle", path="userpass")
        with discreet_failure("has the auth method approle at the path userpass/"):
            run(vault.target(), None)

    def test_another_who_writes_the_secret_at_the_same_time(self, done: EmptyVault) -> None:
        with VaultAdministrator(done.target()) as administrator:
            stored = administrator.read_secret()
            done.admin.secrets.kv.v2.create_or_update_secret("demoapp", {"written": "since"})
            with discreet_failure(r"check-and-set.*\n.*over version 1\n.*run provision again"):
                administrator.write_secret(stored, Contents("http://flipt:8080", PASSWORD))
        assert done.secret() == {"written": "since"}


class TestWithoutFlipt:
    def test_the_secret_is_left_to_others(self, vault: EmptyVault) -> None:
        steps = run(vault.target(), None)
        assert told(steps, "created") == EVERYTHING[:4]
        assert told(steps, "skipped") == ["secret"]

    def test_a_secret_that_is_there_is_read(self, done: EmptyVault) -> None:
        assert told(run(done.target(), None), "stands") == [*EVERYTHING[:4], EVERYTHING[-1]]

    def test_a_secret_that_lacks_a_key_is_named(self, done: EmptyVault) -> None:
        done.admin.secrets.kv.v2.create_or_update_secret(
            "demoapp", {"flipt_api_host": "x", "other": WRONG_PASSWORD}
        )
        with discreet_failure("holds a secret secret/demoapp without flipt_api_token"):
            run(done.target(), None)


class TestRefusals:
    def test_a_wrong_token(self, vault: EmptyVault) -> None:
        with discreet_failure("refuses the administrator's token(.|\n)*Set VAULT_TOKEN"):
            run(vault.target(token=WRONG_PASSWORD), None)

    def test_a_token_that_may_do_too_little(self, vault: EmptyVault) -> None:
        token = vault.token_with('path "sys/mounts" { capabilities = ["read"] }')
        with discreet_failure("does not allow it this(.|\n)*enabling a KV", secrets=(token,)):
            run(vault.target(token=token), None)

    def test_a_token_that_is_revoked_meanwhile(self, vault: EmptyVault) -> None:
        token = vault.token_with('path "*" { capabilities = ["create", "update", "read", "sudo"] }')
        steps = provision(vault.target(token=token), None)
        next(steps)
        vault.admin.auth.token.revoke(token)
        with discreet_failure("wrong, expired or revoked(.|\n)*the policy", secrets=(token,)):
            next(steps)

    def test_a_token_of_flipt_is_taken_back_where_the_secret_can_not_be_written(
        self, vault: EmptyVault, flipt: FakeFlipt, flipt_target: FliptTarget
    ) -> None:
        run(vault.target(), None)
        token = vault.token_with(
            'path "*" { capabilities = ["create", "update", "read", "sudo"] }\n'
            'path "secret/data/demoapp" { capabilities = ["read"] }'
        )
        with discreet_failure("does not allow it this(.|\n)*writing the secret", secrets=(token,)):
            run(vault.target(token=token), flipt_target)
        assert flipt.count("/auth/v1/method/token", method="POST") == 1
        assert flipt.count("/auth/v1/tokens/", method="DELETE") == 1

    def test_a_vault_that_is_sealed(self) -> None:
        with VaultServer(root_token=ROOT_TOKEN) as server:
            server.seal()
            with discreet_failure("is sealed(.|\n)*vault operator unseal"):
                run(at(server.addr), None)
            server.unseal()
            assert told(run(at(server.addr), None), "created") == EVERYTHING[1:4]

    def test_a_vault_that_is_not_there(self) -> None:
        with discreet_failure("can't be reached(.|\n)*Start Vault, or correct VAULT_ADDR"):
            run(at(f"http://127.0.0.1:{free_port()}"), None)

    def test_a_vault_that_hangs(self) -> None:
        with VaultServer(root_token=ROOT_TOKEN) as server:
            server.suspend()
            with discreet_failure("does not answer in time(.|\n)*for 0.2 s"):
                run(at(server.addr, seconds=0.2), None)

    def test_a_vault_that_goes_away_meanwhile(self) -> None:
        with VaultServer(root_token=ROOT_TOKEN) as server:
            steps = provision(at(server.addr), None)
            made = [next(steps) for _ in range(4)]
            server.kill()
            with discreet_failure("can't be reached(.|\n)*reading the secret"):
                next(steps)
        assert told(made, "created") == EVERYTHING[1:4]

    def test_a_certificate_that_nobody_knows(self) -> None:
        with VaultServer(root_token=ROOT_TOKEN, tls=True) as server:
            with discreet_failure("a certificate that is not trusted(.|\n)*VAULT_CACERT"):
                run(at(server.addr), None)
            with discreet_failure("the file of authorities is missing(.|\n)*VAULT_CACERT"):
                run(at(server.addr, cacert=f"{server.home}/missing.pem"), None)


class TestImpostors:
    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (200, b"<h1>Welcome</h1>"),
            (200, {"hello": "world"}),
            (200, ["hello"]),
            (204, b""),
            (404, b"<h1>Not found</h1>"),
            (403, b"<h1>Forbidden</h1>"),
            (502, {"message": "no upstream"}),
            (400, ["bad"]),
            (400, {"errors": 5}),
        ],
    )
    def test_something_else_at_its_address(self, status: int, body: object) -> None:
        with Impostor(status, body) as website, discreet_failure("but not as Vault does"):
            run(at(website.addr), None)

    def test_a_redirect_gets_no_token(self) -> None:
        with Impostor() as thief:
            away = {"Location": f"{thief.addr}/v1/auth/token/lookup-self"}
            with Impostor(307, headers=away) as proxy, discreet_failure("redirects to another"):
                run(at(proxy.addr), None)
        assert thief.asked == []

    def test_an_answer_without_an_end(self) -> None:
        with Impostor(body=b" " * 17_000_000) as website, discreet_failure(r"\(TooLarge\)"):
            run(at(website.addr), None)

    def test_a_vault_that_nobody_initialised(self) -> None:
        with (
            Impostor(501, {"errors": ["not initialized"]}) as vault,
            discreet_failure("is not initialised(.|\n)*vault operator init"),
        ):
            run(at(vault.addr), None)

    def test_words_that_echo_a_secret_are_masked(self) -> None:
        errors = {"errors": [f"what is {ROOT_TOKEN}?", f"or {PASSWORD}"]}
        with (
            Impostor(500, errors) as vault,
            discreet_failure(r"InternalServerError what is \*\*\*\?, or \*\*\*"),
        ):
            run(at(vault.addr), None)

    def test_a_mount_that_never_gets_ready(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("resident.provisioning.vault._MOUNT_SECONDS", 0.1)
        upgrading = (400, {"errors": ["Upgrading from non-versioned to versioned data."]})
        routes = vault_routes() | {
            "/v1/sys/mounts": (200, {"data": {}}),
            "/v1/sys/mounts/secret": (204, b""),
            "/v1/secret/config": upgrading,
        }
        with Impostor(routes=routes) as vault, discreet_failure("waiting for the engine"):
            run(at(vault.addr), None)
        assert vault.asked.count("GET /v1/secret/config") > 1

    def test_a_login_that_can_not_be_taken_back_is_no_failure(self) -> None:
        with Impostor(routes=vault_routes()) as vault:
            steps = run(at(vault.addr), None)
        assert "POST /v1/auth/token/revoke-self" in vault.asked
        assert told(steps, "stands")[-1] == EVERYTHING[-1]


class TestTarget:
    @pytest.mark.parametrize(
        ("changes", "variable"),
        [
            ({"addr": "vault:8200"}, "VAULT_ADDR"),
            ({"addr": "ftp://vault"}, "VAULT_ADDR"),
            ({"addr": "http://vault:port"}, "VAULT_ADDR"),
            ({"addr": "http://"}, "VAULT_ADDR"),
            ({"addr": f"http://admin:{PASSWORD}@vault:8200"}, "VAULT_ADDR"),
            ({"addr": f"http://vault:8200?token={ROOT_TOKEN}"}, "VAULT_ADDR"),
            ({"addr": "http://vault:8200/\n"}, "VAULT_ADDR"),
            ({"token": ""}, "VAULT_TOKEN"),
            ({"token": f"{ROOT_TOKEN}\n"}, "VAULT_TOKEN"),
            ({"token": f"{ROOT_TOKEN}é"}, "VAULT_TOKEN"),
            ({"path": "demoapp"}, "VAULT_SECRET_PATH"),
            ({"path": "secret/*"}, "VAULT_SECRET_PATH"),
            ({"path": "secret/../sys"}, "VAULT_SECRET_PATH"),
            ({"path": "secret//demoapp"}, "VAULT_SECRET_PATH"),
            ({"path": 'secret/x" { capabilities = ["root"] } #'}, "VAULT_SECRET_PATH"),
            ({"path": "secret/root"}, "VAULT_SECRET_PATH"),
            ({"path": "secret/Default"}, "VAULT_SECRET_PATH"),
            ({"username": "demo/app"}, "VAULT_USER"),
            ({"username": ""}, "VAULT_USER"),
            ({"username": "demo@app"}, "VAULT_USER"),
            ({"password": ""}, "VAULT_PASS"),
        ],
    )
    def test_what_can_not_work_is_found_before_anything_is_asked(
        self, changes: dict[str, str], variable: str
    ) -> None:
        with discreet_failure(variable):
            run(at(**{"addr": "http://127.0.0.1:1", **changes}), None)

    def test_credentials_do_not_show(self) -> None:
        assert PASSWORD not in repr(at("http://127.0.0.1:1"))
        assert ROOT_TOKEN not in repr(at("http://127.0.0.1:1"))

    def test_nothing_happens_before_the_first_step_is_asked_for(self) -> None:
        with Impostor() as vault:
            provision(at(vault.addr), None)
        assert vault.asked == []


def at(addr: str, **changes: object) -> VaultTarget:
    """A target for a server without namespaces."""
    values = {"token": ROOT_TOKEN, "username": "demoapp", "password": PASSWORD}
    return VaultTarget(addr=addr, **{**values, **changes})  # type: ignore[arg-type]


def vault_routes() -> dict[str, tuple[int, object]]:
    """A Vault where all is set up, told by heart: for what a real one does too rarely."""
    secret = {"flipt_api_host": "http://flipt:8080", "flipt_api_token": "x"}
    return {
        "/v1/auth/token/lookup-self": (200, {"data": {"display_name": "root"}}),
        "/v1/sys/mounts": (200, {"data": {"secret/": {"type": "kv", "options": {"version": "2"}}}}),
        "/v1/sys/policies/acl/demoapp": (200, {"data": {"policy": RULES}}),
        "/v1/sys/auth": (200, {"data": {"userpass/": {"type": "userpass"}}}),
        "/v1/auth/userpass/users/demoapp": (200, {"data": {"token_policies": ["demoapp"]}}),
        "/v1/auth/userpass/users/demoapp/password": (204, b""),
        "/v1/auth/userpass/login/demoapp": (200, {"auth": {"client_token": "t"}}),
        "/v1/secret/data/demoapp": (200, {"data": {"data": secret, "metadata": {"version": 1}}}),
        "/v1/auth/token/revoke-self": (500, {"errors": ["no"]}),
    }
