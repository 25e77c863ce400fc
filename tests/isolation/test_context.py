"""Request one leaves something behind; request two finds none of it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.evidence import Evidence
from tests.granian import Granian

CLEAN = {"language": "en-us", "time zone": "UTC", "tenant": "", "drawer": ""}
LEFT = {"language": "de", "time zone": "Asia/Tokyo", "tenant": "alice", "drawer": "alice"}
PLACES = ["view", "view-fails", "stream", "stream-fails", "close", "finished"]


class Site(Granian):
    def look(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/look").json()
        self.connections = found.pop("cache connections")
        return found


def site(evidence: Evidence, application: str, threads: int) -> Site:
    return Site(
        evidence,
        {"DJANGO_SETTINGS_MODULE": "tests.isolation.site"},
        application=f"tests.isolation.site:{application}",
        options=("--workers", "1", "--blocking-threads", str(threads)),
    )


@pytest.fixture(scope="module", params=[1, 3], ids=["1 thread", "3 threads"])
def clean_site(pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> Iterator[Site]:
    from tests.conftest import EVIDENCE  # noqa: PLC0415 - a conftest's key

    with site(pytestconfig.stash[EVIDENCE], "application", request.param) as granian:
        yield granian.serving()


@pytest.mark.parametrize("place", PLACES)
def test_what_a_request_leaves_ends_with_it(clean_site: Site, place: str) -> None:
    for _ in range(6):
        clean_site.get(f"/{place}")
        assert clean_site.look() == CLEAN


def test_one_request_is_one_world_down_to_its_last_byte(clean_site: Site) -> None:
    assert clean_site.get("/stream").text == "en-us de alice"


def test_cache_connections_stay_a_threads(clean_site: Site) -> None:
    for _ in range(20):
        clean_site.look()
    assert 1 <= clean_site.connections <= 3


@pytest.mark.parametrize("place", PLACES)
def test_without_resident_the_next_request_finds_it(place: str, evidence: Evidence) -> None:
    with site(evidence, "bare", threads=1) as bare:
        bare.serving().get(f"/{place}")
        assert bare.look() == LEFT
