"""Flags from Flipt's server and from a file, in good days and bad ones."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from resident.exceptions import FlagsError
from resident.flags.document import Document, parse
from resident.flags.flipt import Flipt
from resident.flags.sources import FeaturesFile, Nowhere
from resident.secrets import Secret
from resident.testing import FakeFlipt
from tests.evidence import BOOTSTRAP_TOKEN
from tests.granian import ROOT
from tests.servers import Impostor, free_port

FEATURES = ROOT / "greeting" / "features.yml"
SNAPSHOT = "/internal/v1/evaluation/snapshot"


@pytest.fixture(params=["1.39.2", "1.61.1"])
def flipt(request: pytest.FixtureRequest) -> Iterator[FakeFlipt]:
    with FakeFlipt(version=request.param, token=BOOTSTRAP_TOKEN) as server:
        server.load(FEATURES)
        yield server


@pytest.fixture
def source(flipt: FakeFlipt) -> Iterator[Flipt]:
    source = Flipt(url=flipt.url, token=Secret(f"{BOOTSTRAP_TOKEN}\n"), timeout=1.0)
    yield source
    source.close()


class TestFlipt:
    def test_gives_the_document_when_it_has_changed(self, flipt: FakeFlipt, source: Flipt) -> None:
        first = source.read()
        assert first is not None
        assert [flag.enabled for flag in first.document.flags] == [False]
        assert source.read() is None
        flipt.enable("show_reverse_greeting")
        changed = source.read()
        assert changed is not None
        assert [flag.enabled for flag in changed.document.flags] == [True]

    def test_an_unchanged_document_is_not_sent_again(self) -> None:
        with FakeFlipt(version="1.61.1", token=None) as flipt:
            flipt.load(FEATURES)
            source = Flipt(url=f"{flipt.url}/")
            source.read()
            source.read()
            assert [request.status for request in flipt.requests] == [200, 304]
            source.close()

    def test_one_that_is_sent_again_is_not_read_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read: list[bytes] = []

        def noting(body: bytes, **more: Any) -> Document:
            read.append(body)
            return parse(body, **more)

        monkeypatch.setattr("resident.flags.flipt.parse", noting)
        with FakeFlipt(version="1.39.2", token=None) as flipt:
            flipt.load(FEATURES)
            source = Flipt(url=flipt.url)
            readings = [source.read() for _ in range(3)]
            source.close()
            assert [request.status for request in flipt.requests] == [200, 200, 200]
        assert readings[1:] == [None, None]
        assert len(read) == 1

    def test_flags_that_did_not_change_are_not_made_again(self) -> None:
        with FakeFlipt(version="1.61.1", token=None) as flipt:
            flags = [{"key": key, "name": key, "type": "BOOLEAN_FLAG_TYPE"} for key in ("a", "b")]
            flipt.load({"namespace": "default", "flags": flags})
            source = Flipt(url=flipt.url)
            first = source.read()
            flipt.enable("a")
            second = source.read()
            source.close()
        assert first is not None
        assert second is not None
        before, after = first.document.by_key, second.document.by_key
        assert after["a"].enabled
        assert after["b"] is before["b"]

    def test_what_could_not_be_used_is_sent_again(self, source: Flipt) -> None:
        first = source.read()
        assert first is not None
        source.forget()
        assert source.read() == first

    def test_a_namespace_of_its_own(self, flipt: FakeFlipt) -> None:
        flipt.load({"namespace": "team a".replace(" ", "-"), "flags": []})
        source = Flipt(url=flipt.url, token=Secret(BOOTSTRAP_TOKEN), namespace="team-a")
        reading = source.read()
        assert reading is not None
        assert reading.document.namespace.key == "team-a"
        source.close()

    def test_an_environment_of_its_own(self) -> None:
        with FakeFlipt(version="2.11.0", environments=["default", "staging"]) as flipt:
            flipt.load(FEATURES, environment="staging")
            source = Flipt(url=flipt.url, environment="staging")
            reading = source.read()
            source.close()
            assert reading is not None
            assert reading.version == flipt.document(environment="staging")["digest"]

    @pytest.mark.parametrize("place", [{"namespace": "shop"}, {"environment": "shop"}])
    def test_a_namespace_or_an_environment_that_is_not_there(self, place: dict[str, str]) -> None:
        with FakeFlipt(version="2.11.0") as flipt:
            source = Flipt(url=flipt.url, **place)  # type: ignore[arg-type] # it is a name
            with pytest.raises(FlagsError, match="check FLIPT_NAMESPACE, FLIPT_ENVIRONMENT"):
                source.read()
            source.close()

    def test_a_good_document_after_a_bad_one_counts_as_new(
        self, flipt: FakeFlipt, source: Flipt
    ) -> None:
        flipt.misbehave("garbage", times=1)
        with pytest.raises(FlagsError, match="not a document of flags"):
            source.read()
        assert source.read() is not None

    @pytest.mark.parametrize(
        ("fault", "problem", "passing"),
        [
            ("hang", "does not answer in time", True),
            ("drip", "does not answer in time", True),
            ("garbage", "sent what is not a document of flags", False),
            ("empty", "sent what is not a document of flags", False),
            ("truncated", "sent what is not a document of flags|cuts its answer off", None),
            ("redirect", "redirects elsewhere", False),
            ("huge", "sends more than|does not answer in time", None),
            (401, r"refuses the token \(401\)", False),
            (403, r"refuses the token \(403\)", False),
            (404, r"has no namespace 'default' in that environment \(404\)", False),
            (418, "answers with status 418", False),
            (429, "answers with status 429", True),
            (503, "answers with status 503", True),
        ],
    )
    def test_a_fault_is_named(
        self,
        flipt: FakeFlipt,
        source: Flipt,
        fault: Literal["hang"] | int,
        problem: str,
        passing: bool | None,  # None: either
    ) -> None:
        flipt.misbehave(fault)
        with pytest.raises(FlagsError, match=problem) as caught:
            source.read()
        assert passing in {None, caught.value.passing}
        assert caught.value.__context__ is None
        flipt.behave()
        assert source.read() is not None

    def test_a_server_that_is_away(self) -> None:
        source = Flipt(url=f"http://127.0.0.1:{free_port()}")
        with pytest.raises(FlagsError, match="can't be reached") as caught:
            source.read()
        assert caught.value.passing
        source.close()

    def test_an_answer_that_no_library_can_read(self) -> None:
        with Impostor(body=b"not gzip", headers={"Content-Encoding": "gzip"}) as server:
            source = Flipt(url=server.addr)
            with pytest.raises(FlagsError, match=r"can't be asked \(ContentDecodingError\)"):
                source.read()
            source.close()

    def test_a_token_goes_nowhere_else(self, flipt: FakeFlipt) -> None:
        with (
            Impostor() as elsewhere,
            Impostor(302, headers={"Location": elsewhere.addr}) as server,
        ):
            source = Flipt(url=server.addr, token=Secret(BOOTSTRAP_TOKEN))
            with pytest.raises(FlagsError, match="not sent elsewhere"):
                source.read()
            source.close()
        assert not elsewhere.asked

    @pytest.mark.parametrize("token", ["two\nlines", "naïve", "nul\0"])
    def test_a_token_that_is_none_is_not_repeated(self, token: str) -> None:
        with pytest.raises(FlagsError, match="flipt_api_token can't be a token") as caught:
            Flipt(url="http://flipt:8080", token=Secret(token))
        assert token not in str(caught.value)

    @pytest.mark.parametrize("url", ["flipt:8080", "", "http://", "http://user:pass@flipt"])
    def test_a_host_that_is_none_is_not_repeated(self, url: str) -> None:
        with pytest.raises(FlagsError, match="flipt_api_host is not the URL") as caught:
            Flipt(url=url)
        assert "user" not in str(caught.value)


class TestFeaturesFile:
    def test_is_read_again_when_it_has_changed(self, tmp_path: Path) -> None:
        path = tmp_path / "features.yml"
        path.write_text(FEATURES.read_text())
        source = FeaturesFile(path)
        assert str(path) in str(source)
        assert source.read() is not None
        assert source.read() is None
        other = tmp_path / "new.yml"
        other.write_text(FEATURES.read_text().replace("enabled: false", "enabled: true"))
        other.replace(path)
        changed = source.read()
        assert changed is not None
        assert changed.document.flags[0].enabled
        source.close()

    def test_what_could_not_be_used_is_read_again(self) -> None:
        source = FeaturesFile(FEATURES)
        first = source.read()
        source.forget()
        assert source.read() == first

    def test_a_fault_stays_until_the_file_changes(self, tmp_path: Path) -> None:
        path = tmp_path / "features.yml"
        source = FeaturesFile(path)
        for _ in range(2):
            with pytest.raises(FlagsError, match=r"features\.yml can't be read: No such file"):
                source.read()
        path.write_text("flags: 1")
        for _ in range(2):
            with pytest.raises(FlagsError, match=r"features\.yml is not in Flipt's format: flags"):
                source.read()
        path.write_text(FEATURES.read_text())
        assert source.read() is not None


def test_nowhere_there_are_no_flags() -> None:
    source = Nowhere(namespace="shop")
    first = source.read()
    assert first is not None
    assert (first.document.namespace.key, first.document.flags) == ("shop", [])
    assert source.read() is None
    source.forget()
    assert source.read() == first
    source.close()
