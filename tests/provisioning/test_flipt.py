"""A features file, put into Flipt: from nothing, into halves, and beside what others changed."""

import datetime as dt
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import requests
import yaml

from resident.provisioning import FliptTarget, Step, provision
from resident.provisioning.flipt import ApiToken, FliptManagement
from resident.testing import FakeFlipt
from tests.evidence import BOOTSTRAP_TOKEN, ROOT_TOKEN, WRONG_PASSWORD
from tests.provisioning.conftest import EmptyVault
from tests.provisioning.discretion import discreet_failure
from tests.servers import Impostor, free_port

FEATURES = """
version: "1.4"
flags:
  - key: show_reverse_greeting
    name: Show reverse greeting
    description: Greets backwards while it is on.
    type: BOOLEAN_FLAG_TYPE
    metadata: {team: web, since: 3}
    rollouts:
      - segment: {key: staff, value: true}
      - segment: {keys: [testers, staff], operator: AND_SEGMENT_OPERATOR, value: true}
      - {description: a third of all, threshold: {percentage: 33.3, value: true}}
  - key: greeting_style
    name: Greeting style
    enabled: true
    variants:
      - {key: plain, default: true}
      - {key: loud, name: Loud, attachment: {mark: "!", times: 3}}
    rules:
      - segment: testers
        distributions: [{variant: loud, rollout: 60}, {variant: plain, rollout: 40}]
      - segment: {keys: [staff, testers]}
        distributions: [{variant: loud, rollout: 100}]
segments:
  - key: staff
    name: Staff
    match_type: ALL_MATCH_TYPE
    constraints:
      - {type: BOOLEAN_COMPARISON_TYPE, property: is_staff, operator: "true"}
  - key: testers
    name: Testers
    description: Those who try it first.
    match_type: ANY_MATCH_TYPE
    constraints:
      - {type: STRING_COMPARISON_TYPE, property: plan, operator: eq, value: beta}
      - type: DATETIME_COMPARISON_TYPE
        property: joined
        operator: lt
        value: "2024-01-01T02:00:00+02:00"
        description: Long with us.
"""
ALL = [
    "namespace default",
    "segment staff",
    "constraints of segment staff",
    "segment testers",
    "constraints of segment testers",
    "flag show_reverse_greeting",
    "rollouts of flag show_reverse_greeting",
    "flag greeting_style",
    "variant plain of flag greeting_style",
    "variant loud of flag greeting_style",
    "default variant of flag greeting_style",
    "rules of flag greeting_style",
]
TOO_NEW = [
    "metadata of flag show_reverse_greeting",
    "default variant of flag greeting_style",
]


def features() -> list[dict[str, Any]]:
    """The file as YAML reads it; a copy for each, to be changed at will."""
    return list(yaml.safe_load_all(FEATURES))


def run(flipt: FakeFlipt, documents: list[dict[str, Any]] | None = None) -> list[Step]:
    """Flipt's half alone."""
    target = FliptTarget(url=flipt.url, token=BOOTSTRAP_TOKEN)
    return list(provision(None, target, features() if documents is None else documents))


def told(steps: list[Step], *outcomes: str) -> list[str]:
    """What was told of each thing that came out so."""
    return [step.what for step in steps if step.outcome in outcomes]


def notes(steps: list[Step], outcome: str) -> list[str]:
    return [step.note for step in steps if step.outcome == outcome]


def evaluated(flipt: FakeFlipt, namespace: str = "default") -> object:
    """All that Flipt's clients are told, without what differs from one server to the next."""
    return _timeless(flipt.document(namespace))


def _timeless(value: object) -> object:
    if isinstance(value, Mapping):
        kept = {key: item for key, item in value.items() if not _of_one_server(key)}
        return {key: _timeless(item) for key, item in kept.items()}
    if isinstance(value, list):
        return [_timeless(item) for item in value]
    return value


def _of_one_server(key: str) -> bool:
    return key in {"id", "ruleId", "variantId", "createdAt", "updatedAt", "digest"}


class Console:
    """Somebody at Flipt's own console, or what a run that was broken off left behind."""

    def __init__(self, flipt: FakeFlipt) -> None:
        self._url = f"{flipt.url}/api/v1/namespaces/default"
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {BOOTSTRAP_TOKEN}"

    def close(self) -> None:
        self._session.close()

    def get(self, path: str) -> Any:
        return self._call("GET", path)

    def post(self, path: str, **body: object) -> None:
        self._call("POST", path, body)

    def change(self, path: str, **body: object) -> None:
        """Change these fields of what stands there."""
        self._call("PUT", path, self.get(path) | body)

    def put(self, path: str, **body: object) -> None:
        self._call("PUT", path, body)

    def delete(self, path: str, **query: str) -> None:
        self._call("DELETE", path, query=query)

    def variant(self, key: str) -> str:
        """The id of a variant of the one variant flag."""
        variants = self.get("/flags/greeting_style")["variants"]
        return str(next(variant["id"] for variant in variants if variant["key"] == key))

    def _call(
        self, method: str, path: str, body: object = None, query: dict[str, str] | None = None
    ) -> Any:
        answer = self._session.request(method, self._url + path, json=body, params=query, timeout=5)
        answer.raise_for_status()
        return answer.json()


@pytest.fixture
def console(flipt: FakeFlipt) -> Iterator[Console]:
    console = Console(flipt)
    yield console
    console.close()


class TestFirstRun:
    def test_everything_is_told_in_its_order(self, flipt: FakeFlipt) -> None:
        steps = run(flipt)
        assert [step.what for step in steps] == ALL
        assert told(steps, "stands") == ["namespace default"]
        assert told(steps, "created") == ALL[1:]

    @pytest.mark.parametrize("version", ["1.39.2", "1.61.1"])
    def test_clients_are_told_what_an_import_of_the_file_would_tell_them(
        self, version: str
    ) -> None:
        with (
            FakeFlipt(version=version, token=BOOTSTRAP_TOKEN) as imported,
            FakeFlipt(version=version, token=BOOTSTRAP_TOKEN) as provisioned,
        ):
            imported.load(features()[0])
            run(provisioned)
            assert evaluated(provisioned) == evaluated(imported)

    def test_what_clients_are_not_told_is_there_as_well(
        self, flipt: FakeFlipt, console: Console
    ) -> None:
        run(flipt)
        flag = console.get("/flags/show_reverse_greeting")
        assert flag["metadata"] == {"team": "web", "since": 3}
        assert console.get("/segments/testers")["description"] == "Those who try it first."
        assert console.get("/segments/testers")["constraints"][1]["description"] == "Long with us."

    def test_a_flipt_that_is_too_old_for_a_part_of_the_file(self) -> None:
        with FakeFlipt(version="1.39.2", token=BOOTSTRAP_TOKEN) as flipt:
            steps = run(flipt)
            again = run(flipt)
        assert told(steps, "skipped") == TOO_NEW
        assert notes(steps, "skipped") == ["Flipt v1.39.2 can't hold it; 1.47 and later can"] * 2
        assert told(again, "created", "updated", "differs") == []

    def test_other_namespaces(self, flipt: FakeFlipt) -> None:
        documents: list[dict[str, Any]] = [
            {"namespace": "shop", "flags": [{"key": "sale", "type": "BOOLEAN_FLAG_TYPE"}]},
            {"namespace": {"key": "blog", "name": "Blog", "description": "Ours"}, "flags": None},
        ]
        steps = run(flipt, documents)
        assert told(steps, "created") == ["namespace shop", "flag shop/sale", "namespace blog"]
        assert told(run(flipt, documents), "stands") == told(steps, "created")

    def test_a_file_without_anything(self, flipt: FakeFlipt) -> None:
        assert run(flipt, []) == []

    def test_what_yaml_reads_otherwise_than_it_was_meant(self, flipt: FakeFlipt) -> None:
        day = dt.date(2024, 1, 1)
        constraints = [
            {"type": "BOOLEAN_COMPARISON_TYPE", "property": "a", "operator": True},
            {"type": "NUMBER_COMPARISON_TYPE", "property": "b", "operator": "GT", "value": 5},
            {"type": "DATETIME_COMPARISON_TYPE", "property": "c", "operator": "lt", "value": day},
            {"type": "DATETIME_COMPARISON_TYPE", "property": "d", "operator": "present"},
            None,
        ]
        variant = {"key": "a", "attachment": {"day": day}}
        documents = [
            {
                "segments": [{"key": "odd", "constraints": constraints}],
                "flags": [{"key": "odd", "variants": [variant]}],
            }
        ]
        run(flipt, documents)
        assert told(run(flipt, documents), "created", "updated", "differs") == []

    def test_rules_with_ranks_are_put_in_their_order(
        self, flipt: FakeFlipt, console: Console
    ) -> None:
        documents = features()
        rules = documents[0]["flags"][1]["rules"]
        rules[0]["rank"] = 5
        run(flipt, documents)
        standing = console.get("/flags/greeting_style/rules")["rules"]
        assert [bool(rule["segmentKey"]) for rule in standing] == [False, True]
        assert told(run(flipt, documents), "differs") == []


class TestSecondRun:
    def test_everything_stands_and_nothing_is_written(self, flipt: FakeFlipt) -> None:
        run(flipt)
        flipt.forget()
        assert told(run(flipt), "stands") == ALL
        assert {request.method for request in flipt.requests} == {"GET"}

    @pytest.mark.parametrize("version", ["1.39.2", "1.61.1"])
    def test_a_flag_that_was_switched_on_stays_on(self, version: str) -> None:
        with FakeFlipt(version=version, token=BOOTSTRAP_TOKEN) as flipt:
            run(flipt)
            flipt.enable("show_reverse_greeting")
            switched_on = evaluated(flipt)
            steps = run(flipt)
            assert evaluated(flipt) == switched_on
        assert told(steps, "differs") == ["flag show_reverse_greeting"]
        assert notes(steps, "differs") == ["enabled true in Flipt, false in the file; left alone"]

    def test_what_stands_there_besides_stays(self, flipt: FakeFlipt, console: Console) -> None:
        run(flipt)
        console.post("/flags", key="other", name="Other", type="BOOLEAN_FLAG_TYPE")
        console.post("/segments", key="others", name="Others", matchType="ALL_MATCH_TYPE")
        console.post("/flags/greeting_style/variants", key="whispered")
        assert told(run(flipt), "stands") == ALL
        assert console.get("/flags/other")["name"] == "Other"


class TestHalfDone:
    def lose_rollout(self, console: Console) -> None:
        last = console.get("/flags/show_reverse_greeting/rollouts")["rules"][-1]["id"]
        console.delete(f"/flags/show_reverse_greeting/rollouts/{last}")

    def lose_rollouts(self, console: Console) -> None:
        for _ in range(3):
            self.lose_rollout(console)

    def lose_rule(self, console: Console) -> None:
        last = console.get("/flags/greeting_style/rules")["rules"][-1]["id"]
        console.delete(f"/flags/greeting_style/rules/{last}")

    def lose_distribution(self, console: Console) -> None:
        rule = console.get("/flags/greeting_style/rules")["rules"][0]
        last = rule["distributions"][-1]
        path = f"/flags/greeting_style/rules/{rule['id']}/distributions/{last['id']}"
        console.delete(path, variantId=last["variantId"])

    def lose_constraint(self, console: Console) -> None:
        last = console.get("/segments/testers")["constraints"][-1]["id"]
        console.delete(f"/segments/testers/constraints/{last}")

    def lose_flag(self, console: Console) -> None:
        console.delete("/flags/greeting_style")

    def lose_default(self, console: Console) -> None:
        console.change("/flags/greeting_style", defaultVariantId="", enabled=False)

    @pytest.mark.parametrize(
        ("lose", "outcome", "restored", "note"),
        [
            (lose_rollout, "updated", [ALL[6]], "1 of 3 completed"),
            (lose_rollouts, "created", [ALL[6]], ""),
            (lose_rule, "updated", [ALL[11]], "1 of 2 completed"),
            (lose_distribution, "updated", [ALL[11]], "1 of 2 completed"),
            (lose_constraint, "updated", [ALL[4]], "1 of 2 completed"),
            (lose_flag, "created", ALL[7:], ""),
            (lose_default, "created", [ALL[10]], ""),
        ],
    )
    def test_what_was_lost_is_restored_and_nothing_else(
        self,
        *,
        flipt: FakeFlipt,
        console: Console,
        lose: Callable[["TestHalfDone", Console], None],
        outcome: str,
        restored: list[str],
        note: str,
    ) -> None:
        run(flipt)
        whole = evaluated(flipt)
        lose(self, console)
        assert evaluated(flipt) != whole
        steps = run(flipt)
        assert told(steps, "created", "updated") == restored
        assert set(notes(steps, outcome)) == {note}
        assert told(run(flipt), "created", "updated") == []

    def test_a_default_that_is_restored_leaves_the_switch_alone(
        self, flipt: FakeFlipt, console: Console
    ) -> None:
        run(flipt)
        self.lose_default(console)
        steps = run(flipt)
        assert told(steps, "differs") == ["flag greeting_style"]
        flag = console.get("/flags/greeting_style")
        assert flag["defaultVariant"]["key"] == "plain"
        assert flag["enabled"] is False

    def test_a_default_keeps_the_metadata(self, flipt: FakeFlipt, console: Console) -> None:
        documents = features()
        documents[0]["flags"][1]["metadata"] = {"team": "web"}
        run(flipt, documents)
        assert console.get("/flags/greeting_style")["metadata"] == {"team": "web"}

    def test_a_variant_that_was_lost_comes_back_with_its_distributions(
        self, flipt: FakeFlipt, console: Console
    ) -> None:
        run(flipt)
        shares = self.shares(flipt)
        console.delete(f"/flags/greeting_style/variants/{console.variant('loud')}")
        assert self.shares(flipt) != shares
        steps = run(flipt)
        assert told(steps, "created", "updated") == [ALL[9], ALL[11]]
        assert self.shares(flipt) == shares

    def shares(self, flipt: FakeFlipt) -> list[dict[str, float]]:
        """What each rule of the variant flag hands out."""
        rules = flipt.document()["flags"][1]["rules"]
        return [
            {share["variantKey"]: share["rollout"] for share in rule["distributions"]}
            for rule in rules
        ]

    @pytest.mark.parametrize("steps_before", range(len(ALL)))
    def test_a_run_that_was_broken_off_anywhere_goes_on(
        self, flipt: FakeFlipt, steps_before: int
    ) -> None:
        target = FliptTarget(url=flipt.url, token=BOOTSTRAP_TOKEN)
        broken_off = provision(None, target, features())
        for _ in range(steps_before):
            next(broken_off)
        broken_off.close()  # type: ignore[attr-defined]
        steps = run(flipt)
        assert told(steps, "stands")[:steps_before] == ALL[:steps_before]
        assert told(run(flipt), "stands") == ALL

    @pytest.mark.parametrize(
        "path",
        [
            "/segments/testers/constraints",
            "/flags/show_reverse_greeting/rollouts",
            "/flags/greeting_style/variants",
            "/flags/greeting_style/rules/",
        ],
    )
    def test_a_flipt_that_failed_in_the_middle_of_a_step_is_completed(
        self, flipt: FakeFlipt, path: str
    ) -> None:
        with FakeFlipt(token=BOOTSTRAP_TOKEN) as whole:
            run(whole)
            flipt.misbehave(503, path=f"/api/v1/namespaces/default{path}")
            with discreet_failure("answers 503: misbehaving"):
                run(flipt)
            flipt.behave()
            assert told(run(flipt), "differs") == []
            assert evaluated(flipt) == evaluated(whole)


class TestOthersWork:
    def rename_flag(self, console: Console) -> None:
        console.change("/flags/show_reverse_greeting", name="Another", description="Another")

    def rename_segment(self, console: Console) -> None:
        console.change("/segments/staff", name="Another", matchType="ANY_MATCH_TYPE")

    def rename_variant(self, console: Console) -> None:
        path = f"/flags/greeting_style/variants/{console.variant('plain')}"
        console.put(path, key="plain", attachment='{"mark": "?"}')

    def change_default(self, console: Console) -> None:
        console.change("/flags/greeting_style", defaultVariantId=console.variant("loud"))

    def change_constraint(self, console: Console) -> None:
        constraint = console.get("/segments/staff")["constraints"][0]
        path = f"/segments/staff/constraints/{constraint['id']}"
        console.put(path, **(constraint | {"operator": "false"}))

    def add_rollout(self, console: Console) -> None:
        threshold = {"percentage": 50, "value": True}
        console.post("/flags/show_reverse_greeting/rollouts", rank=4, threshold=threshold)

    def change_rollout(self, console: Console) -> None:
        first = console.get("/flags/show_reverse_greeting/rollouts")["rules"][0]
        path = f"/flags/show_reverse_greeting/rollouts/{first['id']}"
        console.put(path, segment={"segmentKey": "testers", "value": True})

    def add_rule(self, console: Console) -> None:
        console.post("/flags/greeting_style/rules", segmentKey="staff", rank=3)

    def change_distribution(self, console: Console) -> None:
        rule = console.get("/flags/greeting_style/rules")["rules"][1]
        share = rule["distributions"][0]
        path = f"/flags/greeting_style/rules/{rule['id']}/distributions/{share['id']}"
        console.put(path, variantId=share["variantId"], rollout=1)

    @pytest.mark.parametrize(
        ("change", "differing", "note"),
        [
            (rename_flag, ALL[5], "name Another in Flipt, Show reverse greeting in the file"),
            (rename_segment, ALL[1], "match_type ANY_MATCH_TYPE in Flipt, ALL_MATCH_TYPE in"),
            (rename_variant, ALL[8], "attachment; left alone"),
            (change_default, ALL[10], "loud in Flipt, plain in the file; left alone"),
            (change_constraint, ALL[2], "1 in Flipt, 1 in the file, not the same; left alone"),
            (add_rollout, ALL[6], "4 in Flipt, 3 in the file"),
            (change_rollout, ALL[6], "3 in Flipt, 3 in the file, not the same"),
            (add_rule, ALL[11], "3 in Flipt, 2 in the file"),
            (change_distribution, ALL[11], "2 in Flipt, 2 in the file, not the same"),
        ],
    )
    def test_what_differs_is_told_and_left_alone(
        self,
        *,
        flipt: FakeFlipt,
        console: Console,
        change: Callable[["TestOthersWork", Console], None],
        differing: str,
        note: str,
    ) -> None:
        run(flipt)
        change(self, console)
        changed = evaluated(flipt)
        flipt.forget()
        steps = run(flipt)
        assert told(steps, "differs") == [differing]
        assert note in notes(steps, "differs")[0]
        assert told(steps, "created", "updated") == []
        assert {request.method for request in flipt.requests} == {"GET"}
        assert evaluated(flipt) == changed

    def test_a_flag_of_the_other_type_gets_nothing_of_the_file(
        self, flipt: FakeFlipt, console: Console
    ) -> None:
        flag = {"key": "greeting_style", "name": "Greeting style", "enabled": True}
        console.post("/flags", **flag, type="BOOLEAN_FLAG_TYPE")
        steps = run(flipt)
        note = "type BOOLEAN_FLAG_TYPE in Flipt, VARIANT_FLAG_TYPE in the file; left alone"
        assert notes(steps, "differs") == [note]
        assert [step.what for step in steps] == ALL[:8]

    def test_a_namespace_with_another_name(self, flipt: FakeFlipt) -> None:
        steps = run(flipt, [{"namespace": {"key": "default", "name": "Ours"}}])
        assert notes(steps, "differs") == ["name; left alone"]


class TestToken:
    @pytest.fixture
    def done(self, vault: EmptyVault, flipt_target: FliptTarget) -> EmptyVault:
        list(provision(vault.target(), flipt_target, features()))
        return vault

    @pytest.mark.parametrize("version", ["1.39.2", "1.61.1"])
    def test_the_application_gets_the_flags_with_it_and_is_no_administrators(
        self, vault: EmptyVault, version: str
    ) -> None:
        with FakeFlipt(version=version, token=BOOTSTRAP_TOKEN) as flipt:
            target = FliptTarget(url=flipt.url, token=BOOTSTRAP_TOKEN)
            list(provision(vault.target(), target, features()))
            token = vault.secret()["flipt_api_token"]
            assert token != BOOTSTRAP_TOKEN
            assert self.snapshot(flipt, token) == 200

    def test_one_that_flipt_takes_stays(
        self, done: EmptyVault, flipt: FakeFlipt, flipt_target: FliptTarget
    ) -> None:
        before = done.secret()
        list(provision(done.target(), flipt_target, features()))
        assert done.secret() == before
        assert flipt.count("/auth/v1/method/token", method="POST") == 1

    @pytest.mark.parametrize("stale", ["revoked", "with\nlines", ""])
    def test_one_that_flipt_refuses_is_replaced(
        self, done: EmptyVault, flipt: FakeFlipt, flipt_target: FliptTarget, stale: str
    ) -> None:
        self.put(done, stale)
        steps = list(provision(done.target(), flipt_target, features()))
        assert told(steps, "created", "updated") == ["API token of Flipt", "secret secret/demoapp"]
        assert self.snapshot(flipt, done.secret()["flipt_api_token"]) == 200

    def test_one_for_another_namespace_is_replaced(
        self, done: EmptyVault, flipt: FakeFlipt, flipt_target: FliptTarget
    ) -> None:
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {BOOTSTRAP_TOKEN}"
            body = {"name": "narrow", "namespaceKey": "shop"}
            answer = session.post(f"{flipt.url}/auth/v1/method/token", json=body, timeout=5).json()
        self.put(done, answer["clientToken"])
        steps = list(provision(done.target(), flipt_target, features()))
        assert "API token of Flipt" in told(steps, "created")

    def test_a_flipt_that_asks_nobody_for_a_token_is_told(self, vault: EmptyVault) -> None:
        with FakeFlipt() as flipt:
            target = FliptTarget(url=flipt.url, token=BOOTSTRAP_TOKEN)
            steps = list(provision(vault.target(), target))
        assert notes(steps, "created")[-2:] == [
            "Flipt asks nobody for it: FLIPT_AUTHENTICATION_REQUIRED is off",
            "",
        ]

    def test_a_flipt_without_the_method_is_left_before_anything_is_made(
        self, vault: EmptyVault
    ) -> None:
        methods = {"methods": [{"method": "METHOD_TOKEN", "enabled": False}, {"method": "OTHER"}]}
        with (
            Impostor(routes=flipt_routes() | {"/auth/v1/method": (200, methods)}) as flipt,
            discreet_failure("authenticates nobody by token(.|\n)*TOKEN_ENABLED=true"),
        ):
            list(provision(vault.target(), at(flipt.addr)))
        assert vault.writes() == []

    @pytest.mark.parametrize("answer", [{}, {"clientToken": "a b", "authentication": {}}])
    def test_a_token_that_is_none(self, vault: EmptyVault, answer: object) -> None:
        created = {"/auth/v1/method/token": (200, answer)}
        with (
            Impostor(routes=flipt_routes() | created) as flipt,
            discreet_failure("but not as Flipt does(.|\n)*creating the API token"),
        ):
            list(provision(vault.target(), at(flipt.addr)))

    def test_one_that_can_not_be_taken_back_hides_no_failure(self, vault: EmptyVault) -> None:
        list(provision(vault.target(), None))
        limited = vault.token_with(
            'path "*" { capabilities = ["create", "update", "read", "sudo"] }\n'
            'path "secret/data/demoapp" { capabilities = ["read"] }'
        )
        with FakeFlipt(token=BOOTSTRAP_TOKEN) as flipt:
            flipt.misbehave("hang", path="/auth/v1/tokens")
            target = FliptTarget(url=flipt.url, token=BOOTSTRAP_TOKEN, seconds=0.5)
            with discreet_failure("does not allow it this(.|\n)*writing the secret"):
                list(provision(vault.target(token=limited), target))

    def test_it_does_not_show(self) -> None:
        assert WRONG_PASSWORD not in repr(ApiToken(WRONG_PASSWORD))

    def put(self, done: EmptyVault, token: str) -> None:
        """Put another token into the secret."""
        contents = done.secret() | {"flipt_api_token": token}
        done.admin.secrets.kv.v2.create_or_update_secret("demoapp", contents)

    def snapshot(self, flipt: FakeFlipt, token: str) -> int:
        with requests.Session() as session:
            path = "/internal/v1/evaluation/snapshot/namespace/default"
            headers = {"Authorization": f"Bearer {token}"}
            return session.get(flipt.url + path, headers=headers, timeout=5).status_code


class TestRefusals:
    def test_a_wrong_token(self, flipt: FakeFlipt) -> None:
        target = FliptTarget(url=flipt.url, token=WRONG_PASSWORD)
        with discreet_failure("refuses the token(.|\n)*Set FLIPT_API_TOKEN"):
            list(provision(None, target, features()))

    def test_a_token_that_may_do_too_little(self) -> None:
        denied = (403, {"code": 7, "message": "permission denied", "details": []})
        with (
            Impostor(routes=flipt_routes() | {"/api/v1/namespaces/default": denied}) as flipt,
            discreet_failure("authorization policy(.|\n)*namespace default(.|\n)*FLIPT_API_TOKEN"),
        ):
            list(provision(None, at(flipt.addr), features()))

    def test_a_flipt_that_is_not_there(self) -> None:
        with discreet_failure("can't be reached(.|\n)*Start Flipt, or correct FLIPT_API_HOST"):
            list(provision(None, at(f"http://127.0.0.1:{free_port()}"), features()))

    def test_nothing_is_made_in_vault_where_flipt_is_not_there(self, vault: EmptyVault) -> None:
        with discreet_failure("can't be reached"):
            list(provision(vault.target(), at(f"http://127.0.0.1:{free_port()}"), features()))
        assert vault.writes() == []

    @pytest.mark.parametrize("how", ["hang", "drip"])
    def test_a_flipt_that_never_ends(self, flipt: FakeFlipt, how: Any) -> None:
        flipt.misbehave(how, path="/")
        target = FliptTarget(url=flipt.url, token=BOOTSTRAP_TOKEN, seconds=0.2)
        # Without patience's end this test would have none either.
        rescue = threading.Timer(10, flipt.behave)
        rescue.start()
        with discreet_failure("does not answer in time(.|\n)*for 0.2 s"):
            list(provision(None, target, features()))
        rescue.cancel()

    @pytest.mark.parametrize(
        ("how", "match"),
        [
            ("garbage", "not as Flipt does"),
            ("empty", "not as Flipt does"),
            ("redirect", "redirects to another address"),
            ("huge", r"can't be talked to \(TooLarge\)"),
            ("truncated", "can't be"),
            (500, "answers 500: misbehaving"),
        ],
    )
    def test_a_flipt_that_misbehaves(self, flipt: FakeFlipt, how: Any, match: str) -> None:
        flipt.misbehave(how, path="/")
        with discreet_failure(match):
            run(flipt)

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (200, b"<h1>Welcome</h1>"),
            (200, {"hello": "world"}),
            (200, ["hello"]),
            (404, b"Not found"),
            (404, {"error": "not found"}),
            (502, b"<h1>Bad gateway</h1>"),
        ],
    )
    def test_something_else_at_its_address(self, status: int, body: object) -> None:
        with Impostor(status, body) as website, discreet_failure("but not as Flipt does"):
            list(provision(None, at(website.addr), features()))

    def test_a_flipt_v2_is_called_so(self) -> None:
        not_found = {"code": 5, "message": "Not Found", "details": []}
        environments: dict[str, object] = {"environments": []}
        with (
            Impostor(404, not_found, routes={"/api/v2/environments": (200, environments)}) as flipt,
            discreet_failure("is Flipt v2(.|\n)*flags in git(.|\n)*--skip-flipt"),
        ):
            list(provision(None, at(flipt.addr), features()))

    def test_a_flipt_that_reads_its_flags_from_files(self) -> None:
        info = {"version": "v1.61.1", "storage": {"type": "local", "readOnly": True}}
        refused = (500, {"code": 13, "message": "not implemented", "details": []})
        routes = flipt_routes() | {
            "/meta/info": (200, info),
            "/api/v1/namespaces/default/segments/staff": (404, {"code": 5}),
            "/api/v1/namespaces/default/segments": refused,
        }
        with (
            Impostor(routes=routes) as flipt,
            discreet_failure("answers 500: not implemented(.|\n)*read-only"),
        ):
            list(provision(None, at(flipt.addr), features()))

    def test_words_that_echo_the_token_are_masked(self) -> None:
        routes = {"/api/v1/namespaces": (400, {"message": f"what is {BOOTSTRAP_TOKEN}?"})}
        with Impostor(routes=routes) as flipt, discreet_failure(r"400: what is \*\*\*\?"):
            list(provision(None, at(flipt.addr), features()))

    def test_a_flipt_that_keeps_its_version_to_itself_is_taken_for_a_new_one(self) -> None:
        routes = flipt_routes() | {"/meta/info": (404, {"code": 5})}
        with Impostor(routes=routes) as flipt, FliptManagement(at(flipt.addr)) as management:
            management.check()
            assert management.version == ""
            assert management.since(1, 47)


class TestFile:
    @pytest.mark.parametrize(
        ("document", "match"),
        [
            ({"flags": [{"name": "no key"}]}, "a flag that can't be read .*'key'"),
            ({"flags": [{"key": "a", "rollouts": [{}]}]}, "flag a that .*segment or a threshold"),
            ({"flags": [{"key": "a", "rules": [{}]}]}, "a flag a that can't be read"),
            ({"segments": ["staff"]}, "a segment that can't be read"),
            ({"segments": [{"key": "a", "constraints": [{}]}]}, "a segment a that"),
            ("flags", "a document that can't be read"),
        ],
    )
    def test_what_can_not_be_told_to_flipt_is_named(self, document: Any, match: str) -> None:
        with discreet_failure(match):
            next(provision(None, at("http://127.0.0.1:1"), [document]))

    def test_a_rule_with_a_variant_that_there_is_not(self, flipt: FakeFlipt) -> None:
        documents = features()
        del documents[0]["flags"][1]["variants"][1]
        with discreet_failure("A rule of flag greeting_style hands out loud"):
            run(flipt, documents)

    def test_what_flipt_itself_refuses_is_quoted(self, flipt: FakeFlipt) -> None:
        documents = features()
        documents[0]["segments"][0]["constraints"][0]["operator"] = "perhaps"
        with discreet_failure("answers 400: .*perhaps(.|\n)*constraints of segment staff"):
            run(flipt, documents)


class TestTarget:
    @pytest.mark.parametrize(
        ("changes", "variable"),
        [
            ({"url": "flipt:8080"}, "FLIPT_API_HOST"),
            ({"url": f"http://:{BOOTSTRAP_TOKEN}@flipt"}, "FLIPT_API_HOST"),
            ({"public_url": f"http://flipt?token={BOOTSTRAP_TOKEN}"}, "FLIPT_API_HOST"),
            ({"token": ""}, "FLIPT_API_TOKEN"),
            ({"token": f"{BOOTSTRAP_TOKEN} "}, "FLIPT_API_TOKEN"),
        ],
    )
    def test_what_can_not_work_is_found_before_anything_is_asked(
        self, changes: dict[str, str], variable: str
    ) -> None:
        values = {"url": "http://127.0.0.1:1", "token": BOOTSTRAP_TOKEN}
        with discreet_failure(variable):
            list(provision(None, FliptTarget(**(values | changes)), features()))  # type: ignore[arg-type]


def at(url: str) -> FliptTarget:
    return FliptTarget(url=url, token=BOOTSTRAP_TOKEN)


def flipt_routes() -> dict[str, tuple[int, object]]:
    """A Flipt told by heart, for what the fake one does not do."""
    default = {"key": "default", "name": "Default"}
    token = {"clientToken": ROOT_TOKEN, "authentication": {"id": "1"}}
    snapshot = "/internal/v1/evaluation/snapshot/namespace/default"
    return {
        "/api/v1/namespaces": (200, {"namespaces": [default]}),
        "/api/v1/namespaces/default": (200, default),
        "/meta/info": (200, {"version": "v1.61.1"}),
        "/auth/v1/method": (200, {"methods": [{"method": "METHOD_TOKEN", "enabled": True}]}),
        "/auth/v1/method/token": (200, token),
        snapshot: (401, {"code": 16, "message": "request was not authenticated"}),
    }
