"""Secrets in a folder: as Docker and Kubernetes put them there, and as Vault Agent renders them."""

import os
import threading
import time
from itertools import count
from pathlib import Path

import pytest

from resident.exceptions import SecretsError
from resident.secrets import MissingKeyError
from resident.secrets.files import Files
from tests.evidence import PASSWORD
from tests.secrets.reading import plain, told


def refusal(files: Files) -> SecretsError:
    with pytest.raises(SecretsError) as caught:
        files.read()
    assert PASSWORD not in told(caught.value)
    return caught.value


class Volume:
    """A volume of Kubernetes: its files are replaced together, by one link that is renamed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = count()
        folder.mkdir()

    def write(self, **values: str) -> None:
        new = self.folder / f"..2026_{next(self._numbers)}"
        new.mkdir()
        for key, value in values.items():
            (new / key).write_text(value)
        data, old = self.folder / "..data", None
        if data.exists():
            old = data.resolve()
        (self.folder / "..data_tmp").symlink_to(new.name)
        (self.folder / "..data_tmp").replace(data)
        for key in values:
            if not (self.folder / key).exists():
                (self.folder / key).symlink_to(f"..data/{key}")
        if old is not None:
            for file in old.iterdir():
                file.unlink()
            old.rmdir()


class TestReading:
    def test_each_file_is_a_key(self, tmp_path: Path) -> None:
        (tmp_path / "token").write_text(PASSWORD)
        (tmp_path / "host").write_text("https://flipt")
        (tmp_path / ".hidden").write_text("x")
        (tmp_path / "folder").mkdir()
        files = Files(directory=str(tmp_path), required=["token", "host"])
        secrets = files.read()
        assert plain(secrets) == {"token": PASSWORD, "host": "https://flipt"}
        assert secrets.version is None
        assert secrets.place == f"The folder {str(tmp_path)!r}"
        assert PASSWORD not in repr(secrets)
        files.close()

    @pytest.mark.parametrize(
        ("text", "value", "kept"),
        [
            ("one", "one", "one"),
            ("one\n", "one", "one\n"),
            ("one\r\n", "one", "one\r\n"),
            ("one\n\n", "one\n", "one\n\n"),
            ("  one  ", "  one  ", "  one  "),
            ("-- key --\nabc\n-- end --\n", "-- key --\nabc\n-- end --", None),
        ],
    )
    def test_one_line_end_at_the_end_is_not_of_the_value(
        self, tmp_path: Path, text: str, value: str, kept: str | None
    ) -> None:
        (tmp_path / "key").write_bytes(text.encode())
        assert plain(Files(directory=tmp_path).read()) == {"key": value}
        assert plain(Files(directory=tmp_path, keep_newline=True).read()) == {"key": kept or text}

    def test_an_empty_file_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "one").write_text("")
        (tmp_path / "two").write_text("\n")
        assert plain(Files(directory=tmp_path).read()) == {}

    def test_follows_what_is_written(self, tmp_path: Path) -> None:
        files = Files(directory=tmp_path)
        (tmp_path / "token").write_text("one")
        assert plain(files.read()) == {"token": "one"}
        (tmp_path / "token").write_text("two")
        (tmp_path / "host").write_text("flipt")
        assert plain(files.read()) == {"token": "two", "host": "flipt"}
        (tmp_path / "host").unlink()
        assert plain(files.read()) == {"token": "two"}

    def test_only_some(self, tmp_path: Path) -> None:
        (tmp_path / ".token").write_text("t")
        (tmp_path / "store.p12").write_bytes(b"\xff\xfe\x00")
        assert plain(Files(directory=tmp_path, only=[".token"]).read()) == {".token": "t"}


class TestVolume:
    def test_reads_what_the_link_leads_to(self, tmp_path: Path) -> None:
        volume = Volume(tmp_path / "secrets")
        files = Files(directory=volume.folder)
        volume.write(user="1", password="1")
        assert plain(files.read()) == {"user": "1", "password": "1"}
        volume.write(user="2", password="2")
        assert plain(files.read()) == {"user": "2", "password": "2"}

    @pytest.mark.slow
    def test_never_mixes_two_versions(self, tmp_path: Path) -> None:
        volume, is_over = Volume(tmp_path / "secrets"), threading.Event()
        keys = [f"key{number}" for number in range(10)]
        volume.write(**dict.fromkeys(keys, "0"))

        def rotate() -> None:
            for number in range(1, 200):
                volume.write(**dict.fromkeys(keys, str(number)))
                time.sleep(0.005)
            is_over.set()

        files, seen = Files(directory=volume.folder), set()
        files.read()
        rotating = threading.Thread(target=rotate)
        rotating.start()
        while not is_over.is_set():
            values = set(plain(files.read()).values())
            assert len(values) == 1
            seen |= values
        rotating.join()
        assert len(seen) > 20

    def test_one_that_never_rests(self, tmp_path: Path) -> None:
        files = Files(directory=tmp_path, deadline=0.1)

        class Restless(Files):
            def _state(self):  # type: ignore[no-untyped-def] # noqa: ANN202
                (tmp_path / "token").write_text(str(time.monotonic_ns()))
                return super()._state()

        (tmp_path / "token").write_text("1")
        assert files.read()
        error = refusal(Restless(directory=tmp_path, deadline=0.1))
        assert "changes while it is read" in error.problem
        assert error.passing


class TestRefusals:
    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        files = Files(directory=tmp_path / "none", deadline=0.1)
        error = refusal(files)
        assert f"The folder {str(tmp_path / 'none')!r} can't be read: No such file" in error.problem
        assert error.passing

    def test_is_waited_for_at_the_start_alone(self, tmp_path: Path) -> None:
        files = Files(directory=tmp_path, required=["token"], deadline=20.0)
        late = threading.Timer(0.3, (tmp_path / "token").write_text, ["rendered"])
        late.start()
        assert plain(files.read()) == {"token": "rendered"}
        late.join()
        (tmp_path / "token").unlink()
        began = time.monotonic()
        assert isinstance(refusal(files), MissingKeyError)
        assert time.monotonic() - began < 10

    def test_a_key_that_never_comes(self, tmp_path: Path) -> None:
        (tmp_path / "host").write_text(PASSWORD)
        error = refusal(Files(directory=tmp_path, required=["token"], deadline=0.1))
        assert "has no key 'token'" in error.problem
        assert "it has 'host'" in error.remedy

    def test_what_is_no_text(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text(PASSWORD)
        (tmp_path / "b").write_bytes(PASSWORD.encode() + b"\xff")
        error = refusal(Files(directory=tmp_path))
        assert f"{str(tmp_path / 'b')!r} can't be read: it is not text in UTF-8" in error.problem
        assert "base64" in error.remedy

    def test_more_than_a_folder_may_hold(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("x" * 60)
        (tmp_path / "b").write_text(PASSWORD * 4)
        assert len(Files(directory=tmp_path, max_bytes=200).read()) == 2
        error = refusal(Files(directory=tmp_path, max_bytes=100))
        assert f"{str(tmp_path / 'b')!r} can't be read: it has more than 40 bytes" in error.problem

    def test_a_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        error = refusal(Files(directory=tmp_path))
        assert "it is not a regular file" in error.problem

    def test_a_link_that_leads_nowhere(self, tmp_path: Path) -> None:
        (tmp_path / "token").symlink_to("elsewhere")
        error = refusal(Files(directory=tmp_path, deadline=0.1))
        assert "No such file" in error.problem

    def test_a_folder_that_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        error = refusal(Files(directory=tmp_path / "file"))
        assert "Not a directory" in error.problem
        assert not error.passing
