"""The last known flags, in a file that only this user can have written."""

import json
import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from resident.exceptions import FlagsError
from resident.flags.client import FlagClient
from resident.flags.document import Document
from resident.flags.flipt import Flipt
from resident.flags.known import LastKnown
from resident.flags.sources import FeaturesFile, Nowhere, Reading
from resident.testing import FakeFlipt
from tests.granian import ROOT, eventually
from tests.servers import free_port

FLAG = "show_reverse_greeting"
URL = "http://user-secret.example:8080"
FEATURES = ROOT / "greeting" / "features.yml"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


def reading(*, on: bool = True, version: str = "1") -> Reading:
    flag = {
        "key": FLAG,
        "type": "BOOLEAN_FLAG_TYPE",
        "enabled": on,
        "rollouts": [{"threshold": {"percentage": 12.5, "value": True}}],
    }
    body = {"namespace": {"key": "default"}, "flags": [flag]}
    return Reading(Document.model_validate(body), version)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "flags"


@pytest.fixture
def known(folder: Path) -> LastKnown:
    return LastKnown(folder, url=URL, environment="default", namespace="default")


class TestFile:
    def test_gives_back_what_was_written(self, known: LastKnown) -> None:
        assert known.read() is None
        known.write(reading())
        read = known.read()
        assert read is not None
        assert (read.document, read.version) == (reading().document, "1")
        assert read.as_of is not None
        assert timedelta() <= datetime.now(UTC) - read.as_of < timedelta(seconds=10)

    @pytest.mark.parametrize("keys", [(), ("a",), ("a", "[]", "b")])
    def test_gives_back_each_of_the_flags(self, known: LastKnown, keys: tuple[str, ...]) -> None:
        body = {"namespace": {"key": "default"}, "flags": [{"key": key} for key in keys]}
        document = Document.model_validate(body)
        known.write(Reading(document, "[]"))
        read = known.read()
        assert read is not None
        assert (read.document, read.version) == (document, "[]")

    def test_is_private(self, known: LastKnown, folder: Path) -> None:
        known.write(reading())
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (file,) = folder.iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert "secret" not in file.name
        assert "example" not in file.name + file.read_text()

    def test_is_one_of_each_server_environment_and_namespace(self, folder: Path) -> None:
        for url in (URL, "http://other"):
            for environment in ("default", "a/b"):
                for namespace in ("default", "..", "a-b"):
                    LastKnown(folder, url=url, environment=environment, namespace=namespace).write(
                        reading()
                    )
        assert len(list(folder.iterdir())) == 12
        assert [it.name for it in folder.parent.iterdir()] == ["flags"]

    def test_is_written_only_when_something_changed(self, known: LastKnown, folder: Path) -> None:
        def state() -> tuple[int, int]:
            (file,) = folder.iterdir()
            return file.stat().st_ino, file.stat().st_mtime_ns

        known.write(reading())
        before = state()
        known.write(reading())
        assert state() == before
        known.write(reading(on=False))
        assert state() != before

    def test_is_whole_whoever_writes_and_reads(self, folder: Path) -> None:
        def other() -> LastKnown:
            return LastKnown(folder, url=URL, environment="default", namespace="default")

        def write(number: int) -> None:
            mine = other()
            for turn in range(30):
                mine.write(reading(on=turn % 2 == 0, version=f"{number}-{turn}"))

        other().write(reading())
        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        looker = other()
        while any(thread.is_alive() for thread in threads):
            assert looker.read() is not None
        for thread in threads:
            thread.join()
        assert len(list(folder.iterdir())) == 1, "nothing temporary is left"


class TestRefusals:
    """What is not this user's own is not read, nor written to; it is said once."""

    def refuses(self, known: LastKnown, caplog: pytest.LogCaptureFixture, why: str) -> None:
        for _ in range(2):
            assert known.read() is None
        assert caplog.text.count(why) == 1
        assert {record.levelno for record in caplog.records} == {logging.WARNING}
        known.write(reading(on=False))

    def written(self, known: LastKnown, folder: Path) -> Path:
        known.write(reading())
        (file,) = folder.iterdir()
        return file

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{}",
            b"\xff\xfe",
            b'{"format":1,"written":"2026-01-01T00:00:00Z","version":"1","docu',
            b'{"format":2,"written":"2026-01-01T00:00:00Z","version":"1","document":{"namespace":{}}}',
            b'{"format":1,"written":"2026-01-01T00:00:00","version":"1","document":{"namespace":{}}}',
        ],
    )
    def test_a_damaged_one_is_written_anew(
        self, known: LastKnown, folder: Path, caplog: pytest.LogCaptureFixture, content: bytes
    ) -> None:
        self.written(known, folder).write_bytes(content)
        self.refuses(known, caplog, "it is damaged, or of another version")
        read = known.read()
        assert read is not None
        assert read.document == reading(on=False).document

    def test_one_of_another_namespace(
        self, known: LastKnown, folder: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        file = self.written(known, folder)
        content = json.loads(file.read_text())
        content["document"]["namespace"]["key"] = "another"
        file.write_text(json.dumps(content))
        self.refuses(known, caplog, "it is of another namespace")

    def test_a_link(
        self,
        known: LastKnown,
        folder: Path,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        file = self.written(known, folder)
        target = file.rename(tmp_path / "target")
        before = target.read_bytes()
        file.symlink_to(target)
        self.refuses(known, caplog, "it is a link, which is not followed")
        assert file.is_symlink()
        assert target.read_bytes() == before

    def test_a_folder_that_is_a_link(
        self,
        known: LastKnown,
        folder: Path,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        self.written(known, folder)
        folder.rename(tmp_path / "elsewhere")
        folder.symlink_to(tmp_path / "elsewhere")
        self.refuses(known, caplog, "is no directory; a link is not followed")

    @pytest.mark.parametrize("which", ["folder", "file"])
    def test_what_others_may_write(
        self, known: LastKnown, folder: Path, caplog: pytest.LogCaptureFixture, which: str
    ) -> None:
        file = self.written(known, folder)
        (folder if which == "folder" else file).chmod(0o770)
        self.refuses(known, caplog, "may be written by other users")

    @needs_root
    @pytest.mark.parametrize("which", ["folder", "file"])
    def test_what_another_user_owns(
        self, known: LastKnown, folder: Path, caplog: pytest.LogCaptureFixture, which: str
    ) -> None:
        file = self.written(known, folder)
        os.chown(folder if which == "folder" else file, 12345, 12345)
        self.refuses(known, caplog, "belongs to another user, with the id 12345")

    def test_a_folder_that_can_not_be_made(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "file").write_text("")
        folder = tmp_path / "file" / "flags"
        known = LastKnown(folder, url=URL, environment="default", namespace="default")
        for _ in range(2):
            known.write(reading())
        assert len(caplog.records) == 1

    def test_what_fails_half_way_leaves_nothing(
        self,
        known: LastKnown,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        file = self.written(known, folder)

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        known.write(reading(on=False))
        assert "No space left on device" in caplog.text
        assert list(folder.iterdir()) == [file]
        read = known.read()
        assert read is not None
        assert read.document == reading().document


Start = Callable[..., FlagClient]


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    started: list[FlagClient] = []

    def start(url: str, *, deadline: float = 0.5, timeout: float = 5.0, **more: Any) -> FlagClient:
        known = LastKnown(folder, url=url, environment="default", namespace="default")
        client = FlagClient(
            [Flipt(url=url, timeout=timeout)],
            interval=0.2,
            deadline=deadline,
            known={"default": known},
            **more,
        )
        started.append(client)
        client.start()
        return client

    yield start
    for client in started:
        client.close()


@pytest.fixture
def flipt() -> Iterator[FakeFlipt]:
    with FakeFlipt(version="2.11.0") as server:
        server.load(FEATURES)
        server.enable(FLAG)
        yield server


def is_on(client: FlagClient) -> bool:
    return client.snapshots["default"].flags[FLAG].enabled


class TestStart:
    @pytest.fixture
    def known_from(self, flipt: FakeFlipt, start: Start, folder: Path) -> FakeFlipt:
        """A server whose flags are known, and which has others meanwhile."""
        client = start(flipt.url)
        assert eventually(lambda: any(folder.glob("*.json")))
        client.close()
        flipt.disable(FLAG)
        return flipt

    def test_the_server_comes_first(self, known_from: FakeFlipt, start: Start) -> None:
        client = start(known_from.url)
        assert not is_on(client)
        assert client.state().origin == "server"

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("fault", "patience"),
        [(None, 0.5), (503, 0.5), (401, 0.5), ("garbage", 0.5), ("hang", 1.5), ("drip", 1.5)],
    )
    def test_without_it_the_last_known_ones_serve_at_once(
        self,
        known_from: FakeFlipt,
        start: Start,
        fault: Any,
        patience: float,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.INFO, "resident.flags")
        if fault is None:
            known_from.stop()
        else:
            known_from.misbehave(fault)
        began = time.monotonic()
        client = start(known_from.url, deadline=20.0)
        assert time.monotonic() - began < patience
        assert is_on(client)
        state = client.state()
        assert (state.origin, state.place) == ("last known", f"Flipt at {known_from.url}")
        assert state.last_error in {"refused", "503", "401", "invalid", "timeout"}
        assert 0 < state.age < 30
        assert "Starting on the last known flags" in caplog.text
        known_from.behave()
        known_from.start()
        assert eventually(lambda: not client.state().last_error, seconds=5)
        assert client.state().origin == "server"
        assert not is_on(client)
        assert client.snapshots["default"].changed.keys() == {FLAG}

    def test_they_come_before_the_features_file(self, known_from: FakeFlipt, start: Start) -> None:
        known_from.stop()
        client = start(known_from.url, fallbacks={"default": FeaturesFile(FEATURES)})
        assert client.state().origin == "last known"

    def test_then_the_features_file_and_the_defaults(self, start: Start) -> None:
        away = f"http://127.0.0.1:{free_port()}"
        client = start(away, fallbacks={"default": FeaturesFile(FEATURES)})
        assert (client.state().origin, is_on(client)) == ("features file", False)
        client = start(away, fallbacks={"default": Nowhere()})
        assert (client.state().origin, client.snapshots["default"].flags) == ("defaults", {})
        with pytest.raises(FlagsError, match="can't be reached"):
            start(away)

    def test_a_clock_that_was_set_back_makes_nothing_younger_than_now(
        self, known_from: FakeFlipt, start: Start, folder: Path
    ) -> None:
        (file,) = folder.iterdir()
        content = json.loads(file.read_text())
        content["written"] = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        file.write_text(json.dumps(content))
        known_from.stop()
        assert 0 <= start(known_from.url).state().age < 5

    def test_what_is_not_the_servers_is_not_kept(self, start: Start, folder: Path) -> None:
        away = f"http://127.0.0.1:{free_port()}"
        start(away, fallbacks={"default": FeaturesFile(FEATURES)})
        assert not folder.exists()

    def test_each_change_is_kept(self, flipt: FakeFlipt, start: Start, folder: Path) -> None:
        client = start(flipt.url)
        assert eventually(lambda: any(folder.glob("*.json")))
        (file,) = folder.glob("*.json")
        assert json.loads(file.read_text())["document"]["flags"][0]["enabled"]
        flipt.disable(FLAG)
        assert eventually(lambda: not is_on(client))
        assert eventually(lambda: '"enabled":false' in file.read_text())
