"""The contract fake as Flipt v2: environments, documents with a digest, and the stream."""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, Self, get_args

import pytest
import requests

from resident.testing.flipt import FakeFlipt, Misbehaviour
from tests.granian import ROOT

SAMPLES = ROOT / "tests/flags/samples"
TOKEN = "configured-token"
V2 = "2.11.0"
SNAPSHOT = "/internal/v1/evaluation/snapshot/namespace/default"
PATH = "/client/v2/environments/default/namespaces/default"
FLAG = "show_reverse_greeting"
FEATURES: dict[str, Any] = {
    "flags": [{"key": FLAG, "name": "Show", "type": "BOOLEAN_FLAG_TYPE", "enabled": False}]
}
FLAG_V = {"key": "v", "name": "V", "type": "VARIANT_FLAG_TYPE"}
SECONDS = 10


class Listening:
    """A client of a stream; lives as long as its `with`."""

    def __init__(self, flipt: FakeFlipt, path: str = f"{PATH}/stream", **headers: str) -> None:
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {TOKEN}"
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.response = self._session.get(
            f"{flipt.url}{path}", headers=names, timeout=SECONDS, stream=True
        )
        self._lines = self.response.iter_lines(chunk_size=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.response.close()
        self._session.close()

    def line(self) -> bytes:
        """The next line."""
        return bytes(next(self._lines))

    def flag(self) -> Any:
        """The first flag of the next message."""
        return json.loads(self.line())["result"]["flags"][0]


def get(flipt: FakeFlipt, path: str = SNAPSHOT, **headers: str) -> requests.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.get(
        f"{flipt.url}{path}",
        headers={"Authorization": f"Bearer {TOKEN}", **names},
        timeout=SECONDS,
        allow_redirects=False,
    )


def wait_for_streams(flipt: FakeFlipt, count: int) -> None:
    deadline = time.monotonic() + SECONDS
    while flipt.streams != count:
        assert time.monotonic() < deadline, flipt.streams
        time.sleep(0.005)


@pytest.fixture
def flipt() -> Iterator[FakeFlipt]:
    with FakeFlipt(version=V2, token=TOKEN, environments=["default", "staging"]) as running:
        running.load(FEATURES)
        yield running


class TestDocument:
    def test_is_what_a_real_server_sent(self) -> None:
        with FakeFlipt(version=V2) as flipt:
            flipt.load(SAMPLES / "features-v2.yml")
            sent = flipt.document()
        assert len(sent.pop("digest")) == 40
        assert without_moments(sent) == without_moments(
            json.loads((SAMPLES / "document-v2.json").read_bytes())
        )

    def test_before_names_were_hidden(self) -> None:
        with FakeFlipt(version="2.9.0") as flipt:
            flipt.load(FEATURES)
            assert flipt.document()["flags"][0]["name"] == "Show"

    def test_its_digest_is_its_etag(self, flipt: FakeFlipt) -> None:
        first = get(flipt)
        etag = first.headers["ETag"]
        assert first.json()["digest"] == etag
        assert get(flipt, If_None_Match=etag).status_code == 304
        flipt.enable(FLAG)
        second = get(flipt, If_None_Match=etag)
        assert (second.status_code, second.json()["flags"][0]["enabled"]) == (200, True)

    def test_its_digest_is_its_contents(self, flipt: FakeFlipt) -> None:
        digest = flipt.document()["digest"]
        flipt.load(FEATURES)
        flipt.disable(FLAG)
        assert flipt.document()["digest"] == digest
        renamed = [{**FEATURES["flags"][0], "name": "Another, which the document hides"}]
        flipt.load({"flags": renamed})
        assert flipt.document()["digest"] != digest
        flipt.load(FEATURES)
        assert flipt.document()["digest"] == digest

    def test_ids_and_moments_are_those_of_its_last_reading(self) -> None:
        with FakeFlipt(version=V2) as flipt:
            flipt.load(SAMPLES / "features-v2.yml")
            first = flipt.document()
            assert flipt.document() == first
            flipt.enable(FLAG)
            second = flipt.document()
        moments = [{flag["createdAt"] for flag in it["flags"]} for it in (first, second)]
        assert max(moments[0]) < min(moments[1])
        ids = [
            [rule["id"] for flag in it["flags"] for rule in flag["rules"]] for it in (first, second)
        ]
        assert not set(ids[0]) & set(ids[1])
        assert len(ids[1]) == len(set(ids[1])) > 3

    @pytest.mark.parametrize("path", [SNAPSHOT, f"{PATH}/snapshot"])
    def test_is_served_under_both_paths(self, flipt: FakeFlipt, path: str) -> None:
        assert get(flipt, path).json() == flipt.document()


class TestEnvironments:
    def test_each_has_flags_of_its_own(self, flipt: FakeFlipt) -> None:
        flipt.load(FEATURES, environment="staging")
        flipt.enable(FLAG, environment="staging")
        staging = get(flipt, X_Flipt_Environment="staging").json()
        assert staging == flipt.document(environment="staging")
        assert staging["flags"][0]["enabled"]
        assert get(flipt, "/client/v2/environments/staging/namespaces/default/snapshot").json() == (
            staging
        )
        assert not get(flipt).json()["flags"][0]["enabled"]
        flipt.disable(FLAG, environment="staging")
        assert not flipt.document(environment="staging")["flags"][0]["enabled"]

    def test_one_that_is_unknown(self, flipt: FakeFlipt) -> None:
        refused = get(flipt, X_Flipt_Environment="production")
        assert refused.status_code == 404
        assert refused.json()["message"] == (
            'failed to get environment "production" from context:'
            ' environment: "production" not found'
        )
        path = "/client/v2/environments/production/namespaces/default/snapshot"
        # Flipt looks at the header then, and after that at its default environment.
        assert get(flipt, path).json() == flipt.document()
        assert get(flipt, path, X_Flipt_Environment="production").status_code == 404

    def test_a_default_one_of_another_name_is_clients_default_one(self) -> None:
        with FakeFlipt(version=V2, environments=["production"]) as flipt:
            flipt.load(FEATURES)
            assert get(flipt, X_Flipt_Environment="default").json() == flipt.document()

    def test_a_namespace_that_is_unknown(self, flipt: FakeFlipt) -> None:
        refused = get(flipt, SNAPSHOT.replace("/default", "/another"))
        assert (refused.status_code, refused.json()["message"]) == (
            404,
            'evaluation snapshot for namespace "another" not found',
        )

    def test_methods_name_those_there_are(self, flipt: FakeFlipt) -> None:
        known = 'environment "production" not found; there are: default, staging'
        for method in (flipt.enable, flipt.disable, flipt.load):
            with pytest.raises(LookupError, match=known):
                method(FLAG, environment="production")
        with pytest.raises(LookupError, match=known):
            flipt.document(environment="production")

    @pytest.mark.parametrize(("version", "keys"), [("1.61.1", ["a", "b"]), (V2, [])])
    def test_must_be_what_the_version_can_have(self, version: str, keys: list[str]) -> None:
        with pytest.raises(ValueError, match=f"Flipt {version} can't have the environments"):
            FakeFlipt(version=version, environments=keys)


class TestStream:
    def test_tells_the_present_document_and_each_change(self, flipt: FakeFlipt) -> None:
        with Listening(flipt) as client:
            assert client.response.headers["Transfer-Encoding"] == "chunked"
            assert client.response.headers["Content-Type"] == "application/json"
            message = json.loads(client.line())
            assert message == {"result": flipt.document()}
            flipt.enable(FLAG)
            assert client.flag()["enabled"]
            flipt.disable(FLAG)
            assert not client.flag()["enabled"]

    def test_tells_nothing_else(self, flipt: FakeFlipt) -> None:
        with Listening(flipt) as client:
            client.line()
            flipt.disable(FLAG)
            flipt.load(FEATURES)
            flipt.load({"namespace": "another", **FEATURES})
            flipt.load(FEATURES, environment="staging")
            flipt.enable(FLAG)
            assert client.flag()["enabled"]

    @pytest.mark.parametrize("coding", ["gzip, deflate", "identity"])
    def test_is_compressed_for_those_who_accept_it(self, flipt: FakeFlipt, coding: str) -> None:
        with Listening(flipt, Accept_Encoding=coding) as client:
            compressed = client.response.headers.get("Content-Encoding") == "gzip"
            assert compressed is coding.startswith("gzip")
            assert not client.flag()["enabled"]
            flipt.enable(FLAG)
            assert client.flag()["enabled"]

    def test_does_not_begin_before_there_is_something_to_tell(self, flipt: FakeFlipt) -> None:
        digest = flipt.document()["digest"]
        for path in (f"{PATH}/stream?digest={digest}", f"{PATH[:-7]}another/stream"):
            with pytest.raises(requests.ReadTimeout):
                requests.get(
                    f"{flipt.url}{path}",
                    headers={"Authorization": f"Bearer {TOKEN}"},
                    timeout=0.1,
                    stream=True,
                )
        with Listening(flipt, f"{PATH}/stream?digest={40 * 'a'}") as client:
            assert not client.flag()["enabled"]

    @pytest.mark.parametrize(
        ("path", "headers", "status"),
        [
            (f"{PATH}/stream?digest=short", {}, 400),
            ("/client/v2/environments/x/namespaces/y/stream", {"X-Flipt-Environment": "x"}, 404),
            (f"{PATH}/stream", {"Authorization": "Bearer wrong"}, 401),
        ],
    )
    def test_is_refused(
        self, flipt: FakeFlipt, path: str, headers: Mapping[str, str], status: int
    ) -> None:
        assert get(flipt, path, **headers).status_code == status
        assert flipt.streams == 0

    def test_is_gone_when_its_client_is(self, flipt: FakeFlipt) -> None:
        with Listening(flipt), Listening(flipt) as second:
            second.line()
            wait_for_streams(flipt, 2)
        wait_for_streams(flipt, 0)
        assert [request.status for request in flipt.requests] == [None, None]

    def test_ends_with_its_server_and_comes_back(self, flipt: FakeFlipt) -> None:
        with Listening(flipt) as client:
            client.line()
            flipt.stop()
            with pytest.raises(requests.RequestException):
                client.line()
        flipt.start()
        with Listening(flipt) as client:
            assert not client.flag()["enabled"]

    @pytest.mark.parametrize("version", ["1.39.2", "1.61.1"])
    def test_is_unknown_to_flipt_1(self, version: str) -> None:
        with FakeFlipt(version=version) as flipt:
            assert get(flipt, f"{PATH}/stream").status_code == 404


class TestTokens:
    def test_come_from_the_configuration_alone(self, flipt: FakeFlipt) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        url = f"{flipt.url}/auth/v1/method/token"
        made = requests.post(url, headers=headers, json={"name": "n"}, timeout=SECONDS)
        assert made.status_code == 404
        assert get(flipt, "/auth/v1/self").json()["method"] == "METHOD_TOKEN"

    @pytest.mark.parametrize("version", ["1.39.2", V2])
    def test_can_be_rotated(self, version: str) -> None:
        with FakeFlipt(version=version, token=TOKEN) as flipt:
            for _ in "ab":
                assert get(flipt).status_code == 200
                flipt.rotate_token("another")
                assert get(flipt).status_code == 401
                assert get(flipt, Authorization="Bearer another").status_code == 200
                flipt.rotate_token(TOKEN)

    def test_a_stream_that_is_open_goes_on(self, flipt: FakeFlipt) -> None:
        with Listening(flipt) as client:
            client.line()
            flipt.rotate_token("another")
            flipt.enable(FLAG)
            assert client.flag()["enabled"]

    def test_without_one_there_is_none_to_rotate(self) -> None:
        with pytest.raises(ValueError, match="made without a token"):
            FakeFlipt().rotate_token(TOKEN)

    def test_may_be_jwts(self) -> None:
        with FakeFlipt(version=V2, token=TOKEN, token_type="jwt") as flipt:
            assert get(flipt).status_code == 401
            assert get(flipt, Authorization=f"JWT {TOKEN}").status_code == 200


class TestTheRestOfTheContract:
    def test_evaluations_on_the_server(self, flipt: FakeFlipt) -> None:
        flipt.load(FEATURES, environment="staging")
        flipt.enable(FLAG, environment="staging")
        headers = {"Authorization": f"Bearer {TOKEN}"}
        question = {"flagKey": FLAG, "entityId": "e", "context": {}, "namespaceKey": "default"}

        def asked(path: str, **more: Any) -> Any:
            url, body = f"{flipt.url}/evaluate/v1/{path}", {**question, **more}
            return requests.post(url, json=body, headers=headers, timeout=SECONDS).json()

        assert asked("boolean")["enabled"] is False
        assert asked("boolean", environmentKey="staging")["enabled"] is True
        assert asked("batch", requests=[question])["responses"][0]["booleanResponse"]["flagKey"]
        assert "invalid" in asked("variant")["message"]

    def test_variants_of_rules_with_several_segments(self) -> None:
        # v1 writes them several times, v2 once: each gets its share all the same.
        segment = {"match_type": "ALL_MATCH_TYPE"}
        shares = [{"variant": key, "rollout": 30} for key in "abc"]
        rules = [{"segment": {"keys": ["one", "two"]}, "distributions": shares}]
        variants = [{"key": key} for key in "abc"]
        features = {
            "flags": [{**FLAG_V, "enabled": True, "variants": variants, "rules": rules}],
            "segments": [{"key": key, "name": key, **segment} for key in ("one", "two")],
        }
        answers = []
        for version in ("1.61.1", V2):
            with FakeFlipt(version=version) as flipt:
                flipt.load(features)
                url, question = f"{flipt.url}/evaluate/v1/variant", {"flagKey": "v"}
                asked = [{**question, "entityId": f"user-{number}"} for number in range(40)]
                given = [requests.post(url, json=each, timeout=SECONDS).json() for each in asked]
                answers.append([each["variantKey"] for each in given])
        assert answers[0] == answers[1]
        assert set(answers[0]) == {"a", "b", "c", ""}

    def test_what_it_says_of_itself(self, flipt: FakeFlipt) -> None:
        assert get(flipt, "/meta/info").json() == {
            "build": {"version": "v2.11.0", "updateAvailable": False, "isRelease": True},
            "authentication": {"required": True},
        }
        assert get(flipt, "/health").json() == {"status": "SERVING"}

    def test_its_environments_and_namespaces_are_listed(self, flipt: FakeFlipt) -> None:
        flipt.load({"namespace": "shop", **FEATURES}, environment="staging")
        listed = get(flipt, "/api/v2/environments").json()["environments"]
        assert [(each["key"], each["default"]) for each in listed] == [
            ("default", True),
            ("staging", False),
        ]
        namespaces = get(flipt, "/api/v2/environments/staging/namespaces").json()["items"]
        assert [each["key"] for each in namespaces] == ["default", "shop"]
        refused = get(flipt, "/api/v2/environments/production/namespaces")
        assert (refused.status_code, refused.json()["message"]) == (
            404,
            'environment: "production" not found',
        )

    def test_of_the_management_of_v1_the_list_of_flags_is_left(self, flipt: FakeFlipt) -> None:
        listed = get(flipt, "/api/v1/namespaces/default/flags").json()
        assert [flag["key"] for flag in listed["flags"]] == [FLAG]
        for path in ("", "/default", "/default/segments", f"/default/flags/{FLAG}"):
            assert get(flipt, f"/api/v1/namespaces{path}").status_code == 404


class TestFaults:
    """Of a stream. Those of the snapshot are the same as v1's, under both paths."""

    def test_meet_snapshots_and_streams(self, flipt: FakeFlipt) -> None:
        flipt.misbehave(503)
        for path in (SNAPSHOT, f"{PATH}/snapshot", f"{PATH}/stream"):
            assert get(flipt, path).status_code == 503
        assert get(flipt, "/health").status_code == 200
        flipt.misbehave("redirect")
        assert get(flipt, f"{PATH}/stream").headers["Location"] == f"{flipt.url}/redirected"

    def test_cut_the_streams_that_are_open_there(self, flipt: FakeFlipt) -> None:
        with Listening(flipt) as client:
            client.line()
            flipt.misbehave(503, path="/evaluate")
            flipt.enable(FLAG)
            assert client.flag()["enabled"]
            flipt.misbehave(503)
            with pytest.raises(requests.RequestException):
                client.line()

    @pytest.mark.parametrize("coding", ["gzip", "identity"])
    @pytest.mark.parametrize(
        ("how", "lines"),
        [
            ("garbage", [b"<html>It works!</html>"]),
            ("empty", [b"", b'{"result":{}}']),
            ("foreign", [b'{"result":{"namespace":{"key":"another"},"flags":[]}}']),
        ],
    )
    def test_a_wrong_line_of_a_stream_that_stays_open(
        self, flipt: FakeFlipt, how: Misbehaviour, lines: list[bytes], coding: str
    ) -> None:
        flipt.misbehave(how)
        with Listening(flipt, Accept_Encoding=coding) as client:
            assert [client.line() for _ in lines] == lines
            wait_for_streams(flipt, 1)
            flipt.behave()
            with pytest.raises((requests.RequestException, StopIteration)):
                client.line()

    def test_an_error_ends_it_in_order(self, flipt: FakeFlipt) -> None:
        flipt.misbehave("error")
        with Listening(flipt, Accept_Encoding="identity") as client:
            error = {"code": 14, "message": "misbehaving", "details": []}
            assert json.loads(client.line()) == {"error": error}
            with pytest.raises(StopIteration):
                client.line()
        assert get(flipt).json()["error"]["code"] == 14

    @pytest.mark.parametrize("how", ["drip", "half", "truncated"])
    def test_a_message_that_never_ends(self, flipt: FakeFlipt, how: Misbehaviour) -> None:
        flipt.misbehave(how)
        beginning = b'{"result":{"namespace":{"key":"default"},"flags":['
        with Listening(flipt, Accept_Encoding="identity") as client:
            assert client.response.raw.read(len(beginning)) == beginning
            assert how != "drip" or client.response.raw.read(3) == b"   "
            flipt.behave()
            with pytest.raises(requests.RequestException):
                client.line()

    def test_a_message_that_nobody_wants(self, flipt: FakeFlipt) -> None:
        flipt.misbehave("huge")
        with Listening(flipt, Accept_Encoding="identity") as client:
            size = sum(len(piece) for piece in client.response.iter_content(1 << 20))
        assert size > 200_000_000

    def test_one_that_is_silent_has_a_head(self, flipt: FakeFlipt) -> None:
        flipt.misbehave("silent")
        with Listening(flipt) as client:
            assert client.response.status_code == 200
            wait_for_streams(flipt, 1)

    @pytest.mark.parametrize("path", [SNAPSHOT, f"{PATH}/stream"])
    def test_one_that_hangs_has_none(self, flipt: FakeFlipt, path: str) -> None:
        flipt.misbehave("hang")
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{flipt.url}{path}", timeout=0.1, headers=authorised(), stream=True)

    def test_one_that_is_cut_is_so_again_and_again(self, flipt: FakeFlipt) -> None:
        flipt.misbehave("cut", after=0.05)
        for _ in "abc":
            with Listening(flipt) as client:
                assert not client.flag()["enabled"]
                with pytest.raises(requests.RequestException):
                    client.line()
        assert get(flipt).status_code == 200

    def test_one_that_is_frozen_tells_nothing_new(self, flipt: FakeFlipt) -> None:
        flipt.misbehave("frozen")
        with Listening(flipt) as client:
            assert not client.flag()["enabled"]
            flipt.enable(FLAG)
            flipt.behave()
            with pytest.raises(requests.RequestException):
                client.line()
        with Listening(flipt) as client:
            assert client.flag()["enabled"]

    @pytest.mark.parametrize("how", ["silent", "half"])
    def test_a_snapshot_that_stops_halfway(self, flipt: FakeFlipt, how: Misbehaviour) -> None:
        flipt.misbehave(how)
        with pytest.raises(requests.ConnectionError, match="Read timed out"):
            requests.get(f"{flipt.url}{SNAPSHOT}", timeout=0.1, headers=authorised())

    def test_a_snapshot_of_another_namespace(self, flipt: FakeFlipt) -> None:
        flipt.misbehave("foreign")
        assert get(flipt).json() == {"namespace": {"key": "another"}, "flags": []}

    @pytest.mark.parametrize("how", get_args(Misbehaviour))
    def test_end_with_the_server(self, flipt: FakeFlipt, how: Misbehaviour) -> None:
        flipt.misbehave(how, after=30)
        for path in (SNAPSHOT, f"{PATH}/stream"):
            with contextlib.suppress(requests.RequestException), requests.Session() as session:
                session.get(f"{flipt.url}{path}", timeout=0.05, headers=authorised(), stream=True)
        began = time.monotonic()
        flipt.stop()
        assert time.monotonic() - began < 4


def authorised() -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKEN}"}


def without_moments(document: Any) -> Any:
    """A document without what is another one each time, moments and ids."""
    if isinstance(document, list):
        return list(map(without_moments, document))
    if not isinstance(document, dict):
        # The order of keys in an attachment is another one.
        return json.loads(document) if str(document).startswith("{") else document
    left_out = {"createdAt", "updatedAt", "id", "ruleId", "variantId"}
    return {
        name: without_moments(value) for name, value in document.items() if name not in left_out
    }
