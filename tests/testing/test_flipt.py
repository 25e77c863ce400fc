import base64
import datetime as dt
import json
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from resident.testing.flipt import FakeFlipt, Misbehaviour, Request

TOKEN = "bootstrap-token"
NAMESPACE = "/api/v1/namespaces/default"
SNAPSHOT = "/internal/v1/evaluation/snapshot/namespace/default"
OLD, NEW = "1.39.2", "1.61.1"

FEATURES = """\
version: "1.4"
namespace: default
flags:
  - key: show_reverse_greeting
    name: Show reverse greeting
    description: Reverses the greeting
    type: BOOLEAN_FLAG_TYPE
    enabled: false
    metadata: {team: greeting}
    rollouts:
      - segment: {key: staff, value: true}
      - segment: {keys: [staff, beta], operator: AND_SEGMENT_OPERATOR, value: true}
      - description: A quarter of all
        threshold: {percentage: 25.5, value: true}
  - key: greeting_style
    name: Greeting style
    type: VARIANT_FLAG_TYPE
    enabled: true
    variants:
      - {key: plain, default: true}
      - {key: loud, attachment: {mark: "!", again: [1, 2]}}
    rules:
      - segment: beta
        distributions: [{variant: loud, rollout: 100}]
segments:
  - key: staff
    name: Staff
    constraints:
      - {type: BOOLEAN_COMPARISON_TYPE, property: is_staff, operator: true}
      - {type: ENTITY_ID_COMPARISON_TYPE, property: entityId, operator: neq, value: root}
  - key: beta
    name: Beta
    match_type: ANY_MATCH_TYPE
    constraints:
      - {type: NUMBER_COMPARISON_TYPE, property: age, operator: gte, value: 18}
      - {type: STRING_COMPARISON_TYPE, property: plan, operator: eq, value: pro}
"""


class Api:
    """A client of the management API, which keeps its connection."""

    def __init__(self, flipt: FakeFlipt, token: str = TOKEN) -> None:
        self.flipt = flipt
        self.session = requests.Session()
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"

    def __call__(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> requests.Response:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{self.flipt.url}{path if path.startswith('/') else f'{NAMESPACE}/{path}'}"
        return self.session.request(
            method, url, json=body, headers=names, timeout=10, allow_redirects=False
        )

    def done(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        response = self(method, path, body)
        assert response.status_code == 200, response.text
        return dict(response.json())

    def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        response = self(method, path, body)
        status = response.json()
        assert status["details"] == []
        assert (response.status_code, status["code"]) in {
            (400, 3),
            (401, 16),
            (404, 5),
            (500, 13),
            (501, 12),
        }
        return response.status_code, status["message"]

    def document(self, **headers: str) -> dict[str, Any]:
        accepted = {"X_Flipt_Accept_Server_Version": "1.47.0", **headers}
        return dict(self("GET", SNAPSHOT, **accepted).json())


@pytest.fixture
def flipt() -> Iterator[FakeFlipt]:
    with FakeFlipt(token=TOKEN) as running:
        yield running


@pytest.fixture
def old() -> Iterator[FakeFlipt]:
    with FakeFlipt(version=OLD, token=TOKEN) as running:
        yield running


@pytest.fixture
def api(flipt: FakeFlipt) -> Iterator[Api]:
    client = Api(flipt)
    with client.session:
        yield client


@pytest.fixture
def old_api(old: FakeFlipt) -> Iterator[Api]:
    client = Api(old)
    with client.session:
        yield client


@pytest.fixture
def features(tmp_path: Path) -> Path:
    path = tmp_path / "features.yml"
    path.write_text(FEATURES)
    return path


def create_flag(api: Api, key: str = "f", kind: str = "BOOLEAN_FLAG_TYPE") -> dict[str, Any]:
    return api.done("POST", "flags", {"key": key, "name": key.title(), "type": kind})


def create_segments(api: Api, *keys: str) -> None:
    for key in keys:
        body = {"key": key, "name": key.title(), "matchType": "ANY_MATCH_TYPE"}
        api.done("POST", "segments", body)


def create_variant(api: Api, key: str, flag: str = "f") -> str:
    return str(api.done("POST", f"flags/{flag}/variants", {"key": key})["id"])


class TestLife:
    def test_it_can_be_taken_away_and_brought_back(self, features: Path) -> None:
        flipt = FakeFlipt(token=TOKEN)
        assert repr(flipt) == "<FakeFlipt 1.61.1 on port 0, stopped>"
        with flipt:
            flipt.load(features)
            flipt.start()
            url, document = flipt.url, flipt.document()
            flipt.stop()
            flipt.stop()
            with pytest.raises(requests.ConnectionError):
                requests.get(f"{url}/health", timeout=10)
            flipt.start()
            assert flipt.url == url
            assert flipt.document() == document
            assert requests.get(f"{url}/health", timeout=10).json() == {"status": "SERVING"}
            assert "running" in repr(flipt)

    def test_stopping_cuts_the_connections_that_are_open(self, api: Api) -> None:
        assert api("GET", "/health").ok
        api.flipt.stop()
        with pytest.raises(requests.ConnectionError):
            api("GET", "/health")

    def test_it_leaves_no_thread_behind(self) -> None:
        with FakeFlipt(token=TOKEN) as flipt, Api(flipt).session as session:
            session.get(f"{flipt.url}/health", timeout=10)
            assert any("FakeFlipt" in thread.name for thread in threading.enumerate())
        assert not any("FakeFlipt" in thread.name for thread in threading.enumerate())

    def test_it_listens_on_the_port_it_is_given(self) -> None:
        with FakeFlipt() as first:
            port = int(first.url.rpartition(":")[2])
            with pytest.raises(OSError, match="in use"):
                FakeFlipt(port=port).start()
        with FakeFlipt(port=port) as second:
            assert second.url == first.url

    def test_it_imitates_versions_of_flipt_1_and_2(self) -> None:
        for version in ("0.17.2", "3.0.0", "latest"):
            with pytest.raises(ValueError, match=version):
                FakeFlipt(version=version)

    def test_it_serves_many_threads_over_persistent_connections(
        self, flipt: FakeFlipt, features: Path
    ) -> None:
        flipt.load(features)

        def ask(user: int) -> list[bool]:
            with Api(flipt).session as session:
                body = {
                    "flagKey": "show_reverse_greeting",
                    "entityId": f"user-{user}",
                    "context": {"is_staff": str(user % 2 == 0).lower()},
                }
                url = f"{flipt.url}/evaluate/v1/boolean"
                return [session.post(url, json=body, timeout=10).json()["enabled"] for _ in "12345"]

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(40)))
        assert all(all(answer) for answer in answers[::2])
        assert flipt.evaluations == 200

    def test_it_knows_neither_django_nor_the_engine_until_it_evaluates(self) -> None:
        script = (
            "import sys; from resident.testing.flipt import FakeFlipt;"
            "FakeFlipt().load({'flags': []});"
            "assert not {'django', 'flipt_client'} & sys.modules.keys()"
        )
        subprocess.run([sys.executable, "-c", script], check=True)


class TestRequests:
    def test_each_request_is_recorded_without_its_token(self, api: Api) -> None:
        api("GET", f"{SNAPSHOT}?reference=main", If_None_Match="x")
        requests.get(f"{api.flipt.url}{SNAPSHOT}", timeout=10)
        first, second = api.flipt.requests
        expected = ("GET", SNAPSHOT, "reference=main", 200, True)
        assert expected == (
            first.method,
            first.path,
            first.query,
            first.status,
            first.authenticated,
        )
        assert first.headers["if-none-match"] == "x"
        assert (second.status, second.authenticated) == (401, False)
        assert TOKEN not in repr([first.headers, second.headers])

    def test_they_are_counted_by_path_and_method(self, api: Api) -> None:
        create_flag(api)
        api("GET", "flags/f")
        api("GET", "flags")
        assert api.flipt.count("/api/") == 3
        assert api.flipt.count("/api/", method="GET") == 2
        assert api.flipt.count() == 3
        assert api.flipt.count("/evaluate/") == api.flipt.evaluations == 0
        api.flipt.forget()
        assert api.flipt.requests == []
        assert api.flipt.count() == 0

    def test_they_are_plain_values(self) -> None:
        request = Request("GET", "/health", "", 200, authenticated=False, headers={"a": "b"})
        assert request == Request(
            "GET", "/health", "", 200, authenticated=False, headers={"a": "b"}
        )
        with pytest.raises(AttributeError):
            request.status = 500  # type: ignore[misc]

    @pytest.mark.parametrize(
        "lines",
        [
            b"GET / HTTP/1.0\r\n\r\n",
            b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
            b"what is this\r\n\r\n\r\n",
            b"nonsense\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        ],
    )
    def test_a_connection_ends_where_it_has_to(self, flipt: FakeFlipt, lines: bytes) -> None:
        port = int(flipt.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(lines)
            received = connection.makefile("rb").read()
        assert b"Connection: close" in received


class TestTokens:
    def test_a_token_is_created_used_listed_and_revoked(self, api: Api) -> None:
        body = {"name": "app", "description": "The application", "metadata": {"team": "web"}}
        created = api.done("POST", "/auth/v1/method/token", body)
        authentication = created["authentication"]
        assert authentication["method"] == "METHOD_TOKEN"
        assert authentication["expiresAt"] is None
        assert authentication["metadata"] == {
            "io.flipt.auth.token.name": "app",
            "io.flipt.auth.token.description": "The application",
            "team": "web",
        }
        application = Api(api.flipt, created["clientToken"])
        with application.session:
            assert application.done("GET", "/auth/v1/self") == authentication
            listed = application("GET", "/auth/v1/tokens")
            assert listed.json()["authentications"][1] == authentication
            assert created["clientToken"] not in listed.text
            path = f"/auth/v1/tokens/{authentication['id']}"
            assert api.done("GET", path) == authentication
            assert api.done("DELETE", path) == {}
            assert application.refused("GET", SNAPSHOT)[0] == 401
        assert api.refused("GET", path) == (
            404,
            "getting authentication by token: resource not found",
        )

    def test_lists_come_in_pages(self, api: Api) -> None:
        for number in range(27):
            api.done("POST", "/auth/v1/method/token", {"name": f"token {number}"})
        first = api.done("GET", "/auth/v1/tokens")
        assert len(first["authentications"]) == 25
        second = api.done("GET", f"/auth/v1/tokens?pageToken={first['nextPageToken']}")
        assert len(second["authentications"]) == 3
        assert second["nextPageToken"] == ""

    @pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", f"JWT {TOKEN}", TOKEN])
    def test_nobody_comes_in_without_one(self, flipt: FakeFlipt, header: str) -> None:
        response = requests.get(
            f"{flipt.url}{SNAPSHOT}", headers={"Authorization": header}, timeout=10
        )
        assert response.status_code == 401
        assert response.json() == {
            "code": 16,
            "message": "request was not authenticated",
            "details": [],
        }
        assert response.headers["WWW-Authenticate"] == "request was not authenticated"

    def test_health_and_the_methods_are_for_everybody_but_the_version_is_not(
        self, flipt: FakeFlipt
    ) -> None:
        assert requests.get(f"{flipt.url}/health", timeout=10).ok
        methods = requests.get(f"{flipt.url}/auth/v1/method", timeout=10).json()["methods"]
        assert methods[0]["method"] == "METHOD_TOKEN"
        assert requests.get(f"{flipt.url}/meta/info", timeout=10).status_code == 401

    def test_an_expired_token_is_worth_nothing(self, api: Api) -> None:
        soon, past = "2124-03-29T12:00:00+02:00", "2024-03-29T12:00:00Z"
        for expiry, status in ((soon, 200), (past, 401)):
            body = {"name": "app", "expiresAt": expiry}
            created = api.done("POST", "/auth/v1/method/token", body)
            application = Api(api.flipt, created["clientToken"])
            with application.session:
                assert application("GET", SNAPSHOT).status_code == status
            normalised = dt.datetime.fromisoformat(expiry).astimezone(dt.UTC)
            shown = created["authentication"]["expiresAt"]
            assert shown == f"{normalised:%Y-%m-%dT%H:%M:%SZ}"

    @pytest.mark.parametrize("expiry", ["tomorrow", "2124-03-29T12:00:00"])
    def test_an_expiry_is_a_point_in_time(self, api: Api, expiry: str) -> None:
        assert api.refused("POST", "/auth/v1/method/token", {"expiresAt": expiry})[0] == 400

    @pytest.mark.parametrize(("version", "status"), [(OLD, 401), (NEW, 200)])
    def test_a_token_of_one_namespace_goes_nowhere_else(self, version: str, status: int) -> None:
        with FakeFlipt(version=version, token=TOKEN) as flipt:
            admin = Api(flipt)
            body = {"name": "app", "namespaceKey": "default"}
            with admin.session:
                created = admin.done("POST", "/auth/v1/method/token", body)
            scoped = Api(flipt, created["clientToken"])
            with scoped.session:
                assert scoped("GET", SNAPSHOT).status_code == status
                assert scoped("GET", "flags").status_code == 200
                assert scoped("GET", "/api/v1/namespaces/other/flags").status_code == 401
                assert scoped("GET", "/api/v1/namespaces").status_code == 401
                assert scoped("GET", "/auth/v1/self").status_code == 401
                batch = {"requests": [{"flagKey": "f"}, {"flagKey": "f", "namespaceKey": "other"}]}
                assert scoped("POST", "/evaluate/v1/batch", batch).status_code == 401

    def test_where_none_is_required_nobody_is_anybody(self) -> None:
        with FakeFlipt() as flipt:
            nobody = Api(flipt, "")
            with nobody.session:
                assert nobody.document()["flags"] == []
                assert nobody.refused("GET", "/auth/v1/self")[0] == 401

    def test_what_the_server_is_can_be_asked(self, api: Api, old_api: Api) -> None:
        assert api.done("GET", "/meta/info") == {
            "version": "v1.61.1",
            "updateAvailable": False,
            "isRelease": True,
            "authentication": {"required": True},
            "storage": {"type": "database"},
        }
        assert old_api.done("GET", "/meta/info").keys() == {
            "version",
            "updateAvailable",
            "isRelease",
        }


class TestSnapshot:
    def test_a_new_flipt_sends_this(self, api: Api, features: Path) -> None:
        api.flipt.load(features)
        document = api.document()
        boolean, variant = document["flags"]
        assert document["namespace"] == {"key": "default"}
        assert boolean["key"] == "show_reverse_greeting"
        assert boolean["enabled"] is False
        assert boolean["rules"] == []
        assert "defaultVariant" not in boolean
        segment, both, threshold = boolean["rollouts"]
        assert segment == {
            "type": "SEGMENT_ROLLOUT_TYPE",
            "rank": 1,
            "segment": {
                "value": True,
                "segmentOperator": "OR_SEGMENT_OPERATOR",
                "segments": [
                    {
                        "key": "staff",
                        "name": "",
                        "description": "",
                        "matchType": "ALL_SEGMENT_MATCH_TYPE",
                        "constraints": [
                            {
                                "id": "",
                                "type": "BOOLEAN_CONSTRAINT_COMPARISON_TYPE",
                                "property": "is_staff",
                                "operator": "true",
                                "value": "",
                            },
                            {
                                "id": "",
                                "type": "ENTITY_ID_CONSTRAINT_COMPARISON_TYPE",
                                "property": "entityId",
                                "operator": "neq",
                                "value": "root",
                            },
                        ],
                    }
                ],
            },
        }
        assert both["segment"]["segmentOperator"] == "AND_SEGMENT_OPERATOR"
        assert [each["key"] for each in both["segment"]["segments"]] == ["staff", "beta"]
        assert threshold == {
            "type": "THRESHOLD_ROLLOUT_TYPE",
            "rank": 3,
            "threshold": {"percentage": 25.5, "value": True},
        }
        assert variant["defaultVariant"]["key"] == "plain"
        assert variant["rollouts"] == []
        [rule] = variant["rules"]
        [distribution] = rule["distributions"]
        assert distribution["variantKey"] == "loud"
        assert distribution["variantAttachment"] == '{"again":[1,2],"mark":"!"}'
        assert distribution["rollout"] == 100
        assert api.flipt.document() == document

    def test_an_old_flipt_sends_less(self, old_api: Api, features: Path) -> None:
        old_api.flipt.load(features)
        response = old_api("GET", SNAPSHOT, X_Flipt_Accept_Server_Version="1.47.0")
        assert "Etag" not in response.headers
        boolean, variant = response.json()["flags"]
        assert "defaultVariant" not in variant
        staff = boolean["rollouts"][0]["segment"]["segments"][0]
        assert (staff["createdAt"], staff["updatedAt"]) == (None, None)
        # Its gateway doesn't pass the header on, so that it takes everybody for old.
        assert staff["constraints"][1]["type"] == "UNKNOWN_CONSTRAINT_COMPARISON_TYPE"
        forwarded = old_api.document(Grpc_Metadata_X_Flipt_Accept_Server_Version="1.47.0")
        staff = forwarded["flags"][0]["rollouts"][0]["segment"]["segments"][0]
        assert staff["constraints"][1]["type"] == "ENTITY_ID_CONSTRAINT_COMPARISON_TYPE"

    @pytest.mark.parametrize("accepted", ["", "soon", "1.37.0"])
    def test_a_client_that_accepts_no_new_server_gets_less(
        self, api: Api, features: Path, accepted: str
    ) -> None:
        api.flipt.load(features)
        boolean, variant = api.document(X_Flipt_Accept_Server_Version=accepted)["flags"]
        staff = boolean["rollouts"][0]["segment"]["segments"][0]
        assert staff["constraints"][1]["type"] == "UNKNOWN_CONSTRAINT_COMPARISON_TYPE"
        assert "defaultVariant" not in variant

    def test_an_etag_saves_sending_it_again(self, api: Api) -> None:
        fresh = api("GET", SNAPSHOT)
        assert "Etag" not in fresh.headers, "nothing has changed yet"
        create_flag(api)
        sent = api("GET", SNAPSHOT)
        etag = sent.headers["Etag"]
        assert len(etag) == 40
        unchanged = api("GET", SNAPSHOT, If_None_Match=etag)
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        assert unchanged.headers["Etag"] == etag
        assert api("GET", SNAPSHOT, If_None_Match=f'"{etag}"').status_code == 200
        api.flipt.enable("f")
        changed = api("GET", SNAPSHOT, If_None_Match=etag)
        assert changed.status_code == 200
        assert changed.headers["Etag"] != etag
        assert changed.json()["flags"][0]["enabled"] is True

    def test_it_is_compressed_for_those_who_ask(self, api: Api) -> None:
        create_flag(api)
        compressed = api("GET", SNAPSHOT)
        plain = api("GET", SNAPSHOT, Accept_Encoding="identity")
        assert compressed.headers["Content-Encoding"] == "gzip"
        assert "Content-Encoding" not in plain.headers
        assert compressed.content == plain.content

    def test_a_namespace_that_is_not_there_looks_empty(self, api: Api) -> None:
        response = api("GET", SNAPSHOT.replace("default", "typo"))
        assert response.status_code == 200
        assert response.json() == {"namespace": {"key": "typo"}, "flags": []}
        assert "Etag" not in response.headers

    def test_a_rule_with_two_segments_is_sent_twice(self, api: Api) -> None:
        create_flag(api, kind="VARIANT_FLAG_TYPE")
        create_segments(api, "a", "b")
        variant = create_variant(api, "loud")
        rule = api.done("POST", "flags/f/rules", {"rank": 1, "segmentKeys": ["a", "b"]})
        body = {"variantId": variant, "rollout": 30}
        api.done("POST", f"flags/f/rules/{rule['id']}/distributions", body)
        first, second = api.document()["flags"][0]["rules"]
        assert first == second
        assert [each["rollout"] for each in first["distributions"]] == [30, 30]
        assert [each["key"] for each in first["segments"]] == ["a", "b"]

    def test_a_distribution_may_name_another_flags_variant(self, api: Api) -> None:
        create_flag(api, kind="VARIANT_FLAG_TYPE")
        create_flag(api, "other", "VARIANT_FLAG_TYPE")
        create_segments(api, "a")
        variant = create_variant(api, "loud", "other")
        rule = api.done("POST", "flags/f/rules", {"rank": 1, "segmentKey": "a"})
        body = {"variantId": variant, "rollout": 100}
        api.done("POST", f"flags/f/rules/{rule['id']}/distributions", body)
        [sent] = api.document()["flags"][0]["rules"][0]["distributions"]
        assert (sent["variantId"], sent["variantKey"]) == (variant, "loud")
        api.done("DELETE", "flags/other")
        assert api.document()["flags"][0]["rules"][0]["distributions"] == []


class TestEvaluation:
    def test_booleans(self, api: Api, features: Path) -> None:
        api.flipt.load(features)
        body = {
            "flagKey": "show_reverse_greeting",
            "entityId": "alice",
            "context": {"is_staff": "true"},
            "requestId": "r1",
        }
        answer = api.done("POST", "/evaluate/v1/boolean", body)
        assert answer.keys() == {
            "enabled",
            "reason",
            "requestId",
            "requestDurationMillis",
            "timestamp",
            "flagKey",
            "segmentKeys",
        }
        assert answer["enabled"] is True
        assert answer["reason"] == "MATCH_EVALUATION_REASON"
        assert answer["requestId"] == "r1"
        assert answer["segmentKeys"] == ["staff"]

    def test_the_answer_follows_the_flag(self, api: Api) -> None:
        create_flag(api)
        body = {"flagKey": "f", "entityId": "alice"}
        assert api.done("POST", "/evaluate/v1/boolean", body)["enabled"] is False
        api.flipt.enable("f")
        answer = api.done("POST", "/evaluate/v1/boolean", body)
        assert answer["enabled"] is True
        assert answer["reason"] == "DEFAULT_EVALUATION_REASON"
        assert len(answer["requestId"]) == 36
        api.flipt.disable("f")
        assert api.done("POST", "/evaluate/v1/boolean", body)["enabled"] is False
        assert api.flipt.evaluations == 3

    def test_fields_may_be_named_as_in_the_protocol(self, api: Api, features: Path) -> None:
        """Flipt's SDK for Python does so; keys of a context are nobody's fields."""
        api.flipt.load(features)
        body = {"flag_key": "show_reverse_greeting", "entity_id": "a", "request_id": "r1"}
        staff = api.done("POST", "/evaluate/v1/boolean", body | {"context": {"is_staff": "true"}})
        assert (staff["segmentKeys"], staff["requestId"]) == (["staff"], "r1")
        other = api.done("POST", "/evaluate/v1/boolean", body | {"context": {"isStaff": "true"}})
        assert other["segmentKeys"] == []

    def test_an_old_flipt_does_not_say_which_segment_matched(self, old_api: Api) -> None:
        create_flag(old_api)
        answer = old_api.done("POST", "/evaluate/v1/boolean", {"flagKey": "f", "entityId": "alice"})
        assert "segmentKeys" not in answer

    def test_variants(self, api: Api, features: Path) -> None:
        api.flipt.load(features)
        body = {"flagKey": "greeting_style", "entityId": "alice", "context": {"plan": "pro"}}
        answer = api.done("POST", "/evaluate/v1/variant", body)
        assert answer["match"] is True
        assert answer["segmentKeys"] == ["beta"]
        assert answer["variantKey"] == "loud"
        assert json.loads(answer["variantAttachment"]) == {"mark": "!", "again": [1, 2]}
        answer = api.done("POST", "/evaluate/v1/variant", {**body, "context": {}})
        assert (answer["match"], answer["variantKey"]) == (False, "plain")
        assert answer["variantAttachment"] == ""

    def test_shares_below_a_hundred_leave_some_without_a_variant(self, api: Api) -> None:
        create_flag(api, kind="VARIANT_FLAG_TYPE")
        create_segments(api, "a", "b")
        variant, plain = create_variant(api, "loud"), create_variant(api, "plain")
        rule = api.done("POST", "flags/f/rules", {"rank": 1, "segmentKeys": ["a", "b"]})
        body = {"variantId": variant, "rollout": 30}
        api.done("POST", f"flags/f/rules/{rule['id']}/distributions", body)

        def answers() -> Counter[tuple[bool, str, str]]:
            questions = [{"flagKey": "f", "entityId": f"user-{number}"} for number in range(1000)]
            answer = api.done("POST", "/evaluate/v1/batch", {"requests": questions})
            variants = [response["variantResponse"] for response in answer["responses"]]
            return Counter((each["match"], each["variantKey"], each["reason"]) for each in variants)

        api.flipt.enable("f")
        loud = (True, "loud", "MATCH_EVALUATION_REASON")
        assert answers() == {loud: 294, (False, "", "UNKNOWN_EVALUATION_REASON"): 706}
        api.done("PUT", "flags/f", {"name": "F", "enabled": True, "defaultVariantId": plain})
        assert answers() == {loud: 294, (False, "plain", "DEFAULT_EVALUATION_REASON"): 706}

    def test_a_batch_has_an_answer_for_each(self, api: Api, features: Path) -> None:
        api.flipt.load(features)
        keys = ["show_reverse_greeting", "greeting_style", "unknown"]
        questions = [{"flagKey": key, "entityId": "alice"} for key in keys]
        answer = api.done("POST", "/evaluate/v1/batch", {"requests": questions})
        boolean, variant, error = answer["responses"]
        assert boolean["type"] == "BOOLEAN_EVALUATION_RESPONSE_TYPE"
        assert boolean["booleanResponse"]["requestId"] == ""
        assert variant["type"] == "VARIANT_EVALUATION_RESPONSE_TYPE"
        assert variant["variantResponse"]["variantKey"] == "plain"
        assert error == {
            "type": "ERROR_EVALUATION_RESPONSE_TYPE",
            "errorResponse": {
                "flagKey": "unknown",
                "namespaceKey": "",
                "reason": "NOT_FOUND_ERROR_EVALUATION_REASON",
            },
        }
        assert api.flipt.evaluations == 1

    @pytest.mark.parametrize(
        ("kind", "body", "refusal"),
        [
            (
                "boolean",
                {"flagKey": "nope", "entityId": "a"},
                (404, 'flag "default/nope" not found'),
            ),
            (
                "boolean",
                {"flagKey": "greeting_style", "entityId": "a"},
                (400, "flag type VARIANT_FLAG_TYPE invalid"),
            ),
            (
                "variant",
                {"flagKey": "show_reverse_greeting", "entityId": "a"},
                (400, "flag type BOOLEAN_FLAG_TYPE invalid"),
            ),
            (
                "boolean",
                {"flagKey": "show_reverse_greeting", "entityId": " "},
                (400, "this double evaluates for an entityId only"),
            ),
            (
                "boolean",
                {
                    "flagKey": "show_reverse_greeting",
                    "entityId": "a",
                    "context": {"is_staff": True},
                },
                (400, "invalid values for key(s) in json body"),
            ),
            ("batch", {"requests": ["a"]}, (400, "invalid values for key(s) in json body")),
        ],
    )
    def test_some_questions_have_no_answer(
        self, api: Api, features: Path, kind: str, body: dict[str, Any], refusal: tuple[int, str]
    ) -> None:
        api.flipt.load(features)
        assert api.refused("POST", f"/evaluate/v1/{kind}", body) == refusal


class TestNamespaces:
    def test_one_is_there_from_the_start(self, api: Api) -> None:
        listed = api.done("GET", "/api/v1/namespaces")
        assert (listed["totalCount"], listed["nextPageToken"]) == (1, "")
        [default] = listed["namespaces"]
        assert default.keys() == {
            "key",
            "name",
            "description",
            "protected",
            "createdAt",
            "updatedAt",
        }
        assert default["protected"] is True
        assert api.done("GET", NAMESPACE) == default

    def test_another_lives_from_its_creation_to_its_deletion(self, api: Api) -> None:
        body = {"key": "shop", "name": "Shop"}
        created = api.done("POST", "/api/v1/namespaces", body)
        assert created["protected"] is False
        path = "/api/v1/namespaces/shop"
        updated = api.done("PUT", path, {"name": "The shop", "description": "Sells"})
        assert (updated["name"], updated["createdAt"]) == ("The shop", created["createdAt"])
        assert api.refused("POST", "/api/v1/namespaces", body) == (
            400,
            'namespace "shop" is not unique',
        )
        assert api.done("DELETE", path) == {}
        assert api.refused("GET", path) == (404, 'namespace "shop" not found')

    def test_flags_of_one_are_not_those_of_another(self, api: Api) -> None:
        api.done("POST", "/api/v1/namespaces", {"key": "shop", "name": "Shop"})
        create_flag(api)
        api.done("POST", "/api/v1/namespaces/shop/flags", {"key": "f", "name": "F"})
        api.flipt.enable("f", namespace="shop")
        assert api.flipt.document("shop")["flags"][0]["enabled"] is True
        assert api.flipt.document()["flags"][0]["enabled"] is False
        assert api.done("GET", "/api/v1/namespaces/unknown/flags")["flags"] == []

    def test_what_holds_flags_is_deleted_by_force_alone(self, api: Api, old_api: Api) -> None:
        refusal = 'namespace "shop" cannot be deleted; flags must be deleted first'
        path = "/api/v1/namespaces/shop"
        for client in (api, old_api):
            client.done("POST", "/api/v1/namespaces", {"key": "shop", "name": "Shop"})
            client.done("POST", f"{path}/flags", {"key": "f", "name": "F"})
            assert client.refused("DELETE", path) == (400, refusal)
            assert client.refused("DELETE", NAMESPACE) == (
                400,
                'namespace "default" is protected',
            )
        assert api.done("DELETE", f"{path}?force=true") == {}
        assert old_api.refused("DELETE", f"{path}?force=true") == (400, refusal)

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ({"name": "Shop"}, "invalid field key: must not be empty"),
            ({"key": "the shop", "name": "Shop"}, "invalid field key: contains invalid characters"),
            ({"key": "shop"}, "invalid field name: must not be empty"),
        ],
    )
    def test_some_are_refused(self, api: Api, body: dict[str, str], message: str) -> None:
        assert api.refused("POST", "/api/v1/namespaces", body) == (400, message)


class TestFlags:
    def test_a_flag_is_shown_as_this_version_does(self, api: Api, old_api: Api) -> None:
        for client in (api, old_api):
            body = {"key": "f", "name": "F", "metadata": {"team": "web"}}
            created = client.done("POST", "flags", body)
            assert created["type"] == "VARIANT_FLAG_TYPE"
            assert created["createdAt"] == created["updatedAt"]
            assert created["createdAt"].endswith("Z")
            known = {"key", "name", "description", "enabled", "type", "namespaceKey", "variants"}
            metadata = {"metadata"} if client is api else set()
            assert created.keys() == known | metadata | {"createdAt", "updatedAt"}
            assert client.done("GET", "flags/f") == created

    def test_an_update_empties_what_it_leaves_out(self, api: Api) -> None:
        body = {"key": "f", "name": "F", "description": "D", "enabled": True}
        api.done("POST", "flags", {**body, "metadata": {"team": "web"}})
        variant = create_variant(api, "plain")
        chosen = api.done("PUT", "flags/f", {**body, "defaultVariantId": variant})
        assert chosen["defaultVariant"]["key"] == "plain"
        updated = api.done("PUT", "flags/f", {"name": "G"})
        assert (updated["name"], updated["description"], updated["enabled"]) == ("G", "", False)
        assert "defaultVariant" not in updated
        assert updated["metadata"] == {"team": "web"}
        assert "metadata" not in api.done("PUT", "flags/f", {"name": "G", "metadata": {}})

    def test_switching_keeps_everything_else(self, api: Api, features: Path) -> None:
        api.flipt.load(features)
        before = api.flipt.document()["flags"][1]
        api.flipt.disable("greeting_style")
        after = api.flipt.document()["flags"][1]
        changed = {"enabled", "updatedAt"}
        assert after["enabled"] is False
        assert {name: after[name] for name in after.keys() - changed} == {
            name: before[name] for name in before.keys() - changed
        }

    def test_a_flag_that_is_not_there_cant_be_switched(self, flipt: FakeFlipt) -> None:
        with pytest.raises(LookupError, match='"default/f" not found; flags there: none'):
            flipt.enable("f")
        flipt.load({"flags": [{"key": "g", "name": "G"}]})
        with pytest.raises(LookupError, match="flags there: g"):
            flipt.disable("f")

    def test_a_default_is_one_of_the_flags_variants(self, api: Api, old_api: Api) -> None:
        for client in (api, old_api):
            create_flag(client, kind="VARIANT_FLAG_TYPE")
        body = {"name": "F", "defaultVariantId": "x"}
        refusal = (400, 'variant "x" not found for flag "default/f"')
        assert api.refused("PUT", "flags/f", body) == refusal
        assert api.refused("PUT", "flags/nope", body)[0] == 400
        assert "defaultVariant" not in old_api.done("PUT", "flags/f", body)

    def test_lists_come_in_pages_for_those_who_ask(self, api: Api) -> None:
        for key in "abcde":
            create_flag(api, key)
        assert len(api.done("GET", "flags")["flags"]) == 5
        keys, token = [], ""
        while True:
            page = api.done("GET", f"flags?limit=2&pageToken={token}")
            assert page["totalCount"] == 5
            keys += [flag["key"] for flag in page["flags"]]
            token = page["nextPageToken"]
            if not token:
                break
            assert json.loads(base64.b64decode(token)).keys() == {"key", "offset"}
        assert keys == list("abcde")
        assert [flag["key"] for flag in api.done("GET", "flags?limit=2&offset=3")["flags"]] == [
            "d",
            "e",
        ]

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ("pageToken=eyJvZmZzZXQiOjJ9", "limit must be set when offset or pageToken is set"),
            ("limit=2&pageToken=x", 'pageToken is not valid: "x"'),
            ("limit=2&pageToken=e30=", 'pageToken is not valid: "e30="'),
            ("limit=few", "invalid values for key(s) in json body"),
        ],
    )
    def test_some_pages_are_none(self, api: Api, query: str, message: str) -> None:
        assert api.refused("GET", f"flags?{query}") == (400, message)

    def test_variants_are_managed_below_their_flag(self, api: Api) -> None:
        create_flag(api, kind="VARIANT_FLAG_TYPE")
        body = {"key": "loud", "name": "Loud", "attachment": '{"mark": "¡"}'}
        created = api.done("POST", "flags/f/variants", body)
        assert created["attachment"] == '{"mark":"¡"}'
        assert (created["flagKey"], created["namespaceKey"]) == ("f", "default")
        path = f"flags/f/variants/{created['id']}"
        updated = api.done("PUT", path, {"key": "loud", "name": "Louder"})
        assert (updated["name"], updated["attachment"]) == ("Louder", "")
        assert api.done("PUT", path, {"key": "louder"})["key"] == "louder"
        assert api.done("GET", "flags/f")["variants"][0]["key"] == "louder"
        assert api.done("DELETE", path) == {}
        assert api.done("DELETE", path) == {}
        assert api.done("DELETE", "flags/nope/variants/x") == {}
        assert api.done("GET", "flags/f")["variants"] == []

    def test_a_deleted_variant_takes_its_uses_along(self, api: Api, features: Path) -> None:
        api.flipt.load(features)
        flag = api.done("GET", "flags/greeting_style")
        for variant in flag["variants"]:
            api.done("DELETE", f"flags/greeting_style/variants/{variant['id']}")
        assert "defaultVariant" not in api.done("GET", "flags/greeting_style")
        [rule] = api.done("GET", "flags/greeting_style/rules")["rules"]
        assert rule["distributions"] == []

    def test_a_deleted_flag_is_gone_and_may_be_deleted_again(self, api: Api) -> None:
        create_flag(api)
        assert api.done("DELETE", "flags/f") == {}
        assert api.done("DELETE", "flags/f") == {}
        assert api.refused("GET", "flags/f") == (404, 'flag "default/f" not found')
        assert api.done("DELETE", "/api/v1/namespaces/unknown/flags/f") == {}

    @pytest.mark.parametrize(
        ("method", "path", "body", "refusal"),
        [
            ("POST", "flags", {"key": "f", "name": "F"}, (400, 'flag "default/f" is not unique')),
            ("POST", "flags", {"key": "g"}, (400, "invalid field name: must not be empty")),
            (
                "POST",
                "flags",
                {"key": "g", "name": "G", "type": "ODD"},
                (400, "unknown value 'ODD' for enum type"),
            ),
            (
                "POST",
                "/api/v1/namespaces/nope/flags",
                {"key": "f", "name": "F"},
                (404, 'namespace "nope" not found'),
            ),
            ("PUT", "flags/nope", {"name": "F"}, (404, 'flag "default/nope" not found')),
            ("POST", "flags/f/variants", {}, (400, "invalid field key: must not be empty")),
            (
                "POST",
                "flags/f/variants",
                {"key": "a"},
                (400, 'variant "a" is not unique for flag "default/f"'),
            ),
            (
                "POST",
                "flags/f/variants",
                {"key": "c", "attachment": "{"},
                (400, "invalid field attachment: must be a json string"),
            ),
            (
                "POST",
                "flags/nope/variants",
                {"key": "a"},
                (404, 'flag "default/nope" not found'),
            ),
            ("PUT", "flags/f/variants/x", {"key": "b"}, (404, 'variant "b" not found')),
            ("PUT", "flags/nope/variants/x", {"key": "b"}, (404, 'variant "b" not found')),
        ],
    )
    def test_some_changes_are_refused(
        self, api: Api, method: str, path: str, body: dict[str, Any], refusal: tuple[int, str]
    ) -> None:
        create_flag(api)
        create_variant(api, "a")
        assert api.refused(method, path, body) == refusal

    def test_a_variant_cant_take_anothers_key(self, api: Api) -> None:
        create_flag(api)
        create_variant(api, "a")
        second = create_variant(api, "b")
        assert api.refused("PUT", f"flags/f/variants/{second}", {"key": "a"})[0] == 400

    @pytest.mark.parametrize(
        "body",
        [
            {"name": 5},
            {"enabled": "yes"},
            {"metadata": []},
            {"name": None, "enabled": 1},
            [],
        ],
    )
    def test_fields_have_types(self, api: Api, body: Any) -> None:
        body = {"key": "f", "name": "F", **body} if isinstance(body, dict) else body
        assert api.refused("POST", "flags", body)[0] == 400

    def test_a_body_is_json(self, api: Api) -> None:
        response = api.session.post(f"{api.flipt.url}{NAMESPACE}/flags", data=b"key=f", timeout=10)
        assert response.status_code == 400

    def test_keys_are_quoted_in_paths(self, api: Api) -> None:
        assert api.refused("GET", "flags/a%20b") == (404, 'flag "default/a b" not found')

    def test_paths_and_methods_are_known_or_not(self, api: Api) -> None:
        assert api.refused("GET", "/api/v1/nope") == (404, "Not Found")
        assert api.refused("PUT", "/health") == (501, "Method Not Allowed")
        assert api("GET", "flags/").status_code == 200


class TestSegments:
    def test_a_segment_and_its_constraints(self, api: Api) -> None:
        created = api.done("POST", "segments", {"key": "staff", "name": "Staff"})
        assert created["matchType"] == "ALL_MATCH_TYPE"
        body = {
            "type": "STRING_COMPARISON_TYPE",
            "property": "plan",
            "operator": "EQ",
            "value": "pro",
        }
        constraint = api.done("POST", "segments/staff/constraints", body)
        assert (constraint["operator"], constraint["segmentKey"]) == ("eq", "staff")
        path = f"segments/staff/constraints/{constraint['id']}"
        updated = api.done("PUT", path, {**body, "operator": "empty", "description": "D"})
        assert (updated["value"], updated["description"]) == ("", "D")
        renamed = {"name": "Crew", "matchType": "ANY_MATCH_TYPE"}
        segment = api.done("PUT", "segments/staff", renamed)
        assert segment["constraints"] == [updated]
        assert api.done("GET", "segments/staff") == segment
        assert api.done("GET", "segments")["segments"] == [segment]
        assert api.done("DELETE", path) == {}
        assert api.done("DELETE", "segments/nope/constraints/x") == {}
        assert api.done("GET", "segments/staff")["constraints"] == []
        assert api.done("DELETE", "segments/staff") == {}
        assert api.refused("GET", "segments/staff") == (
            404,
            'segment "default/staff" not found',
        )

    @pytest.mark.parametrize(
        ("kind", "operator", "value", "stored"),
        [
            ("STRING", "isoneof", '["a","b"]', '["a","b"]'),
            ("STRING", "contains", "a", "a"),
            ("NUMBER", "isnotoneof", "[1,2.5]", "[1,2.5]"),
            ("NUMBER", "present", "ignored", ""),
            ("BOOLEAN", "true", "", ""),
            ("DATETIME", "lt", "2024-03-29", "2024-03-29"),
            ("DATETIME", "lt", "2024-03-29T12:00:00+02:00", "2024-03-29T10:00:00Z"),
            ("ENTITY_ID", "isoneof", '["a"]', '["a"]'),
        ],
    )
    def test_values_are_stored_as_flipt_does(
        self, api: Api, kind: str, operator: str, value: str, stored: str
    ) -> None:
        create_segments(api, "s")
        body = {
            "type": f"{kind}_COMPARISON_TYPE",
            "property": "entityId",
            "operator": operator,
            "value": value,
        }
        assert api.done("POST", "segments/s/constraints", body)["value"] == stored

    @pytest.mark.parametrize(
        ("kind", "changes", "message"),
        [
            ("STRING", {"property": ""}, "invalid field property: must not be empty"),
            ("STRING", {"operator": ""}, "invalid field operator: must not be empty"),
            ("STRING", {"value": ""}, "invalid field value: must not be empty"),
            (
                "STRING",
                {"operator": "lt"},
                'constraint operator "lt" is not valid for type string',
            ),
            (
                "NUMBER",
                {"operator": "contains"},
                'constraint operator "contains" is not valid for type number',
            ),
            (
                "ENTITY_ID",
                {"operator": "prefix", "property": "entityId"},
                'constraint operator "prefix" is not valid for type entityId',
            ),
            ("ENTITY_ID", {}, 'property is p instead of "entityId"'),
            ("UNKNOWN", {}, 'invalid constraint type: "UNKNOWN_COMPARISON_TYPE"'),
            ("DATETIME", {"value": "soon"}, 'parsing datetime from "soon"'),
            (
                "STRING",
                {"operator": "isoneof", "value": "a,b"},
                'invalid value provided for property "p" of type string',
            ),
            (
                "NUMBER",
                {"operator": "isoneof", "value": '["a"]'},
                'invalid value provided for property "p" of type number',
            ),
            (
                "NUMBER",
                {"operator": "isoneof", "value": json.dumps(list(range(101)))},
                'too many values provided for property "p" of type number (maximum 100)',
            ),
        ],
    )
    def test_some_constraints_make_no_sense(
        self, api: Api, kind: str, changes: dict[str, str], message: str
    ) -> None:
        create_segments(api, "s")
        body = {"type": f"{kind}_COMPARISON_TYPE", "property": "p", "operator": "eq", "value": "v"}
        assert api.refused("POST", "segments/s/constraints", {**body, **changes}) == (400, message)

    def test_an_old_flipt_does_not_search_text(self, old_api: Api) -> None:
        create_segments(old_api, "s")
        body = {
            "type": "STRING_COMPARISON_TYPE",
            "property": "p",
            "operator": "contains",
            "value": "v",
        }
        assert old_api.refused("POST", "segments/s/constraints", body)[0] == 400

    @pytest.mark.parametrize(
        ("method", "path", "refusal"),
        [
            ("POST", "segments", (400, 'segment "default/s" is not unique')),
            ("PUT", "segments/nope", (404, 'segment "default/nope" not found')),
            ("POST", "segments/nope/constraints", (404, 'segment "default/nope" not found')),
            ("PUT", "segments/s/constraints/x", (404, 'constraint "x" not found')),
            ("PUT", "segments/nope/constraints/x", (404, 'constraint "x" not found')),
        ],
    )
    def test_some_changes_are_refused(
        self, api: Api, method: str, path: str, refusal: tuple[int, str]
    ) -> None:
        create_segments(api, "s")
        body = {
            "key": "s",
            "name": "S",
            "type": "BOOLEAN_COMPARISON_TYPE",
            "property": "p",
            "operator": "true",
        }
        body.pop("key" if path != "segments" else "type")
        assert api.refused(method, path, body) == refusal

    def test_a_segment_in_use_stays(self, api: Api, features: Path) -> None:
        api.flipt.load(features)
        for key in ("staff", "beta"):
            assert api.refused("DELETE", f"segments/{key}") == (
                400,
                f'segment "default/{key}" is in use',
            )

    def test_an_old_flipt_deletes_it_and_breaks_its_snapshot(
        self, old_api: Api, features: Path
    ) -> None:
        old_api.flipt.load(features)
        old_api.done("DELETE", "segments/beta")
        both = old_api.done("GET", "flags/show_reverse_greeting/rollouts")["rules"][1]
        assert both["segment"]["segmentKey"] == "staff"
        assert both["segment"]["segmentKeys"] == []
        assert old_api.document()["flags"][1]["rules"] == []
        old_api.done("DELETE", "segments/staff")
        assert old_api.refused("GET", SNAPSHOT)[0] == 500


class TestRules:
    @pytest.fixture(autouse=True)
    def _contents(self, api: Api) -> None:
        create_flag(api, kind="VARIANT_FLAG_TYPE")
        create_segments(api, "a", "b")

    def create(self, api: Api, rank: int, **body: Any) -> str:
        created = api.done("POST", "flags/f/rules", {"segmentKey": "a", **body, "rank": rank})
        return str(created["id"])

    def test_one_segment_is_shown_in_its_own_field(self, api: Api) -> None:
        body = {"rank": 1, "segmentKeys": ["a"], "segmentOperator": "AND_SEGMENT_OPERATOR"}
        one = api.done("POST", "flags/f/rules", body)
        assert (one["segmentKey"], one["segmentKeys"]) == ("a", [])
        assert one["segmentOperator"] == "OR_SEGMENT_OPERATOR"
        path = f"flags/f/rules/{one['id']}"
        both = api.done("PUT", path, {**body, "segmentKeys": ["b", "a", "b"]})
        assert (both["segmentKey"], both["segmentKeys"]) == ("", ["b", "a"])
        assert both["segmentOperator"] == "AND_SEGMENT_OPERATOR"
        assert api.done("GET", path) == both

    def test_ranks_close_up_and_can_be_ordered(self, api: Api) -> None:
        second, first, third = (self.create(api, rank) for rank in (2, 1, 7))
        assert self.ranks(api) == [(first, 1), (second, 2), (third, 7)]
        api.done("DELETE", f"flags/f/rules/{first}")
        assert self.ranks(api) == [(second, 1), (third, 2)]
        order = {"ruleIds": [third, "unknown", second]}
        assert api.done("PUT", "flags/f/rules/order", order) == {}
        assert self.ranks(api) == [(third, 1), (second, 2)]
        assert [rule["rank"] for rule in api.document()["flags"][0]["rules"]] == [1, 2]

    def ranks(self, api: Api) -> list[tuple[str, int]]:
        listed = api.done("GET", "flags/f/rules")
        return [(rule["id"], rule["rank"]) for rule in listed["rules"]]

    def test_distributions_are_managed_below_their_rule(self, api: Api) -> None:
        plain, loud = create_variant(api, "plain"), create_variant(api, "loud")
        path = f"flags/f/rules/{self.create(api, 1)}"
        body = {"variantId": plain, "rollout": 12.5}
        created = api.done("POST", f"{path}/distributions", body)
        assert created.keys() == {
            "id",
            "ruleId",
            "variantId",
            "rollout",
            "createdAt",
            "updatedAt",
        }
        place = f"{path}/distributions/{created['id']}"
        updated = api.done("PUT", place, {"variantId": loud, "rollout": 100.0})
        assert (updated["variantId"], updated["rollout"]) == (loud, 100)
        assert api.done("GET", path)["distributions"] == [updated]
        assert api.refused("DELETE", place) == (
            400,
            "invalid field variantId: must not be empty",
        )
        api.done("DELETE", f"{place}?variantId={plain}")
        assert api.done("GET", path)["distributions"] == [updated]
        api.done("DELETE", f"{place}?variantId={loud}")
        assert api.done("GET", path)["distributions"] == []
        gone = f"flags/f/rules/nope/distributions/x?variantId={loud}"
        assert api.done("DELETE", gone) == {}

    @pytest.mark.parametrize(
        ("method", "path", "body", "refusal"),
        [
            (
                "POST",
                "f/rules",
                {"rank": 1},
                (400, "invalid field segmentKey or segmentKeys: must not be empty"),
            ),
            (
                "POST",
                "f/rules",
                {"rank": 1, "segmentKey": "a", "segmentKeys": ["b"]},
                (400, "invalid field segmentKey or segmentKeys: only one can be present"),
            ),
            (
                "POST",
                "f/rules",
                {"segmentKey": "a"},
                (400, "invalid field rank: must be greater than 0"),
            ),
            (
                "POST",
                "f/rules",
                {"rank": 1, "segmentKey": "nope"},
                (404, 'flag "default/f" or segment "default/nope" not found'),
            ),
            (
                "POST",
                "nope/rules",
                {"rank": 1, "segmentKey": "a"},
                (404, 'flag "default/nope" or segment "default/a" not found'),
            ),
            (
                "POST",
                "f/rules",
                {"rank": 1, "segmentKeys": "a"},
                (400, "invalid values for key(s) in json body"),
            ),
            ("GET", "f/rules/x", None, (404, 'rule "default/x" not found')),
            ("GET", "nope/rules/x", None, (404, 'rule "default/x" not found')),
            ("PUT", "f/rules/x", {"segmentKey": "a"}, (404, 'rule "default/x" not found')),
            (
                "PUT",
                "f/rules/order",
                {"ruleIds": ["x"]},
                (400, "invalid field ruleIds: must contain atleast 2 elements"),
            ),
            (
                "POST",
                "f/rules/x/distributions",
                {"rollout": 5},
                (400, "invalid field variantId: must not be empty"),
            ),
            (
                "POST",
                "f/rules/x/distributions",
                {"variantId": "v", "rollout": -1},
                (400, "invalid field rollout: must be greater than or equal to '0'"),
            ),
            (
                "POST",
                "f/rules/x/distributions",
                {"variantId": "v", "rollout": 101},
                (400, "invalid field rollout: must be less than or equal to '100'"),
            ),
            (
                "POST",
                "f/rules/x/distributions",
                {"variantId": "v", "rollout": "all"},
                (400, "invalid values for key(s) in json body"),
            ),
            (
                "POST",
                "nope/rules/x/distributions",
                {"variantId": "v"},
                (404, 'variant "v", rule "x", flag "nope" in namespace "default" not found'),
            ),
        ],
    )
    def test_some_changes_are_refused(
        self, api: Api, method: str, path: str, body: Any, refusal: tuple[int, str]
    ) -> None:
        assert api.refused(method, f"flags/{path}", body) == refusal

    def test_some_updates_are_refused(self, api: Api) -> None:
        rule, variant = self.create(api, 1), create_variant(api, "plain")
        refusal = (404, f'rule "default/{rule}" not found')
        assert api.refused("PUT", f"flags/f/rules/{rule}", {"segmentKey": "nope"}) == refusal
        place = f"flags/f/rules/{rule}/distributions/x"
        assert api.refused("PUT", place, {"variantId": variant}) == (
            404,
            'distribution "x" not found',
        )

    def test_what_is_not_there_is_deleted_all_the_same(self, api: Api) -> None:
        assert api.done("DELETE", "flags/f/rules/x") == {}
        assert api.done("DELETE", "flags/nope/rules/x") == {}


class TestRollouts:
    @pytest.fixture(autouse=True)
    def _contents(self, api: Api) -> None:
        create_flag(api)
        create_segments(api, "a", "b")

    def create(self, api: Api, rank: int) -> str:
        body = {"rank": rank, "threshold": {"percentage": 50, "value": True}}
        return str(api.done("POST", "flags/f/rollouts", body)["id"])

    def ranks(self, api: Api) -> list[tuple[str, int]]:
        listed = api.done("GET", "flags/f/rollouts")
        return [(rollout["id"], rollout["rank"]) for rollout in listed["rules"]]

    def test_thresholds_and_segments(self, api: Api) -> None:
        threshold = api.done("GET", f"flags/f/rollouts/{self.create(api, 1)}")
        assert threshold["type"] == "THRESHOLD_ROLLOUT_TYPE"
        assert threshold["threshold"] == {"percentage": 50, "value": True}
        assert "segment" not in threshold
        body = {"rank": 2, "segment": {"segmentKeys": ["a", "b"], "value": True}}
        segment = api.done("POST", "flags/f/rollouts", body)
        assert segment["type"] == "SEGMENT_ROLLOUT_TYPE"
        assert segment["segment"]["segmentKeys"] == ["a", "b"]
        path = f"flags/f/rollouts/{segment['id']}"
        change = {"segment": {"segmentKey": "b"}, "description": "D"}
        updated = api.done("PUT", path, change)
        assert updated["segment"] == {
            "segmentKey": "b",
            "value": False,
            "segmentKeys": [],
            "segmentOperator": "OR_SEGMENT_OPERATOR",
        }
        assert (updated["rank"], updated["description"]) == (2, "D")
        assert api.done("GET", path) == updated

    def test_ranks_close_up_and_can_be_ordered(self, api: Api) -> None:
        second, first, third = (self.create(api, rank) for rank in (2, 1, 7))
        api.done("DELETE", f"flags/f/rollouts/{first}")
        assert self.ranks(api) == [(second, 1), (third, 2)]
        api.done("PUT", "flags/f/rollouts/order", {"rolloutIds": [third, second]})
        assert self.ranks(api) == [(third, 1), (second, 2)]
        page = api.done("GET", "flags/f/rollouts?limit=1")
        assert page["rules"][0]["id"] == third
        assert page["nextPageToken"]

    @pytest.mark.parametrize(
        ("method", "path", "body", "refusal"),
        [
            ("POST", "f/rollouts", {"rank": 1}, (400, "rank number: 1 already exists")),
            ("POST", "f/rollouts", {"rank": 2}, (400, "rollout rule is missing")),
            (
                "POST",
                "f/rollouts",
                {"rank": 2, "threshold": {"percentage": 101}},
                (400, "invalid field threshold.percentage: must be within range [0, 100]"),
            ),
            (
                "POST",
                "f/rollouts",
                {"rank": 2, "threshold": {"percentage": True}},
                (400, "invalid values for key(s) in json body"),
            ),
            (
                "POST",
                "f/rollouts",
                {"rank": 2, "segment": {}},
                (400, "invalid field segmentKey or segmentKeys: must not be empty"),
            ),
            (
                "POST",
                "f/rollouts",
                {"rank": 2, "segment": {"segmentKey": "nope"}},
                (404, 'flag "default/f or segment nope" not found'),
            ),
            (
                "POST",
                "nope/rollouts",
                {"rank": 2, "threshold": {}},
                (404, 'flag "default/nope" not found'),
            ),
            ("GET", "f/rollouts/x", None, (404, 'rollout "default/x" not found')),
            ("GET", "nope/rollouts/x", None, (404, 'rollout "default/x" not found')),
            (
                "PUT",
                "f/rollouts/order",
                {"rolloutIds": []},
                (400, "invalid field rolloutIds: must contain atleast 2 elements"),
            ),
        ],
    )
    def test_some_changes_are_refused(
        self, api: Api, method: str, path: str, body: Any, refusal: tuple[int, str]
    ) -> None:
        self.create(api, 1)
        assert api.refused(method, f"flags/{path}", body) == refusal

    def test_some_updates_are_refused(self, api: Api) -> None:
        body = {"rank": 1, "segment": {"segmentKey": "a"}}
        path = f"flags/f/rollouts/{api.done('POST', 'flags/f/rollouts', body)['id']}"
        assert api.refused("PUT", path, {}) == (
            400,
            "invalid field rule: invalid rollout rule type",
        )
        assert api.refused("PUT", path, {"threshold": {}}) == (
            400,
            (
                'cannot change type of rollout: have "SEGMENT_ROLLOUT_TYPE"'
                ' attempted "THRESHOLD_ROLLOUT_TYPE"'
            ),
        )
        assert api.refused("PUT", path, {"segment": {"segmentKey": "nope"}}) == (
            500,
            "FOREIGN KEY constraint failed",
        )


class TestFeatures:
    def test_a_file_replaces_what_its_namespace_held(
        self, flipt: FakeFlipt, features: Path
    ) -> None:
        flipt.load(str(features))
        flipt.load({"namespace": "shop", "flags": [{"key": "cart", "name": "Cart"}]})
        flipt.load({"flags": [{"key": "only", "name": "Only"}]})
        assert [flag["key"] for flag in flipt.document()["flags"]] == ["only"]
        assert [flag["key"] for flag in flipt.document("shop")["flags"]] == ["cart"]

    def test_a_file_may_hold_several_documents(self, api: Api, tmp_path: Path) -> None:
        path = tmp_path / "features.yml"
        shop = "namespace: {key: shop, name: The shop}\nflags: [{key: cart, name: Cart}]\n"
        path.write_text(f"{FEATURES}---\n{shop}")
        api.flipt.load(path)
        assert api.done("GET", "/api/v1/namespaces/shop")["name"] == "The shop"
        assert len(api.flipt.document()["flags"]) == 2

    def test_a_changed_file_has_another_etag(self, api: Api, features: Path) -> None:
        etags = set()
        for _ in "12":
            api.flipt.load(features)
            etags.add(api("GET", SNAPSHOT).headers["Etag"])
        assert len(etags) == 2

    def test_segments_of_rules_may_be_several(self, flipt: FakeFlipt) -> None:
        flipt.load(
            {
                "flags": [
                    {
                        "key": "f",
                        "name": "F",
                        "variants": [{"key": "a"}],
                        "rules": [
                            {"segment": {"keys": ["s", "t"], "operator": None}},
                            {"segment": "s", "rank": 5},
                        ],
                    }
                ],
                "segments": [{"key": "s", "name": "S"}, {"key": "t", "name": "T"}],
            }
        )
        rules = flipt.document()["flags"][0]["rules"]
        assert [rule["rank"] for rule in rules] == [1, 1, 5]

    @pytest.mark.parametrize(
        ("broken", "reason"),
        [
            ({"version": "2.0"}, "unsupported version: 2.0"),
            ({"flag": []}, "a document has no flag"),
            ({"flags": ["f"]}, "a flag is a mapping, not 'f'"),
            ({"flags": [{"key": "f"}]}, "invalid field name: must not be empty"),
            ({"flags": [{"key": "f", "name": "F", "default": 1}]}, "a flag has no default"),
            (
                {
                    "flags": [
                        {"key": "f", "name": "F", "rollouts": [{"segment": {}, "threshold": {}}]}
                    ]
                },
                "both segment and threshold",
            ),
            (
                {
                    "flags": [
                        {
                            "key": "f",
                            "name": "F",
                            "rules": [
                                {
                                    "segment": "s",
                                    "distributions": [{"variant": "nope", "rollout": 100}],
                                }
                            ],
                        }
                    ],
                    "segments": [{"key": "s", "name": "S"}],
                },
                "finding variant: nope; flag: f",
            ),
        ],
    )
    def test_a_broken_file_changes_nothing(
        self, flipt: FakeFlipt, features: Path, broken: dict[str, Any], reason: str
    ) -> None:
        flipt.load(features)
        before = flipt.document()
        with pytest.raises(ValueError, match=reason):
            flipt.load(broken)
        assert flipt.document() == before

    def test_a_broken_file_is_named(self, flipt: FakeFlipt, tmp_path: Path) -> None:
        path = tmp_path / "features.yml"
        path.write_text("flags: [")
        with pytest.raises(ValueError, match=r"features\.yml"):
            flipt.load(path)
        with pytest.raises(FileNotFoundError):
            flipt.load(tmp_path / "nowhere.yml")


class TestFaults:
    def test_a_status(self, api: Api) -> None:
        api.flipt.misbehave(503)
        assert api("GET", SNAPSHOT).status_code == 503
        assert api("GET", "flags").status_code == 200
        assert [request.status for request in api.flipt.requests] == [503, 200]
        api.flipt.behave()
        assert api("GET", SNAPSHOT).status_code == 200

    def test_a_status_that_nobody_knows(self, api: Api) -> None:
        api.flipt.misbehave(599)
        response = api("GET", SNAPSHOT)
        assert (response.status_code, response.reason) == (599, "Unknown")

    def test_it_may_pass_by_itself_and_be_anywhere(self, api: Api) -> None:
        api.flipt.misbehave(500, path="/", times=2)
        statuses = [api("GET", path).status_code for path in ("/health", "flags", "/health")]
        assert statuses == [500, 500, 200]

    def test_garbage(self, api: Api) -> None:
        api.flipt.misbehave("garbage")
        response = api("GET", SNAPSHOT)
        assert response.headers["Content-Type"] == "application/json"
        with pytest.raises(requests.JSONDecodeError):
            response.json()

    def test_nothing(self, api: Api) -> None:
        api.flipt.misbehave("empty")
        response = api("GET", SNAPSHOT)
        assert (response.status_code, response.content) == (200, b"")

    def test_a_redirect_can_be_seen_to_be_followed(self, api: Api) -> None:
        api.flipt.misbehave("redirect")
        response = api("GET", SNAPSHOT)
        assert response.status_code == 302
        assert api.flipt.count("/redirected") == 0
        assert api.session.get(response.headers["Location"], timeout=10).status_code == 404
        assert api.flipt.count("/redirected") == 1

    def test_half_an_answer(self, api: Api) -> None:
        api.flipt.misbehave("truncated")
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
            api("GET", SNAPSHOT)
        assert api.flipt.requests[0].status is None

    def test_more_than_anybody_wants(self, api: Api) -> None:
        api.flipt.misbehave("huge")
        size = 0
        with api.session.get(f"{api.flipt.url}{SNAPSHOT}", stream=True, timeout=10) as response:
            assert "Content-Length" not in response.headers
            ends = b""
            for piece in response.iter_content(1 << 20):
                size += len(piece)
                ends += piece.strip()
        assert size > 64 << 20
        assert json.loads(ends) == {"namespace": {"key": "default"}, "flags": []}

    def test_a_client_may_leave_before_the_end(self, api: Api) -> None:
        api.flipt.misbehave("huge")
        with api.session.get(f"{api.flipt.url}{SNAPSHOT}", stream=True, timeout=10) as response:
            assert next(response.iter_content(1024))
        api.flipt.behave()
        assert api("GET", SNAPSHOT).status_code == 200

    @pytest.mark.parametrize("end", [FakeFlipt.behave, FakeFlipt.stop])
    @pytest.mark.parametrize("how", ["hang", "drip"])
    def test_what_never_ends_ends_with_the_test(
        self, flipt: FakeFlipt, how: Misbehaviour, end: Any
    ) -> None:
        flipt.misbehave(how)
        headers = {"Authorization": f"Bearer {TOKEN}"}

        def ask() -> str:
            try:
                requests.get(f"{flipt.url}{SNAPSHOT}", headers=headers, timeout=30)
            except requests.RequestException as error:
                return type(error).__name__
            raise AssertionError

        with ThreadPoolExecutor() as pool:
            asked = pool.submit(ask)
            while not flipt.requests:
                assert not asked.done()
            end(flipt)
            assert asked.result() in {"ConnectionError", "ChunkedEncodingError"}

    def test_it_outlives_a_restart(self, api: Api) -> None:
        api.flipt.misbehave("hang")
        api.flipt.stop()
        api.flipt.start()
        with pytest.raises(requests.ReadTimeout):
            api.session.get(f"{api.flipt.url}{SNAPSHOT}", timeout=0.1)

    def test_a_dripping_answer_beats_a_timeout_between_bytes(self, api: Api) -> None:
        api.flipt.misbehave("drip")
        url = f"{api.flipt.url}{SNAPSHOT}"
        with api.session.get(url, stream=True, timeout=10) as response:
            received = response.raw.read(45)
        assert received == b'{"namespace":{"key":"default"},"flags":[' + 5 * b" "

    def test_there_is_no_other(self, flipt: FakeFlipt) -> None:
        with pytest.raises(ValueError, match="'explode' is neither an HTTP status nor one of hang"):
            flipt.misbehave("explode")  # type: ignore[arg-type]
