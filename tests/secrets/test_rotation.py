"""Secrets are rotated while a real granian serves: no request fails, none sees a mixture."""

import re
import time

import pytest

from tests.evidence import PASSWORD, WRONG_PASSWORD, Evidence
from tests.granian import eventually
from tests.secrets.serving import Load, set_up, site, write
from tests.servers import VaultServer


@pytest.mark.slow
def test_twenty_rotations_under_load_on_four_threads(evidence: Evidence) -> None:
    with VaultServer() as vault:
        set_up(vault)
        with site(vault, evidence, threads=4, interval=0.05) as granian:
            granian.serving()
            load = Load(granian, "/", "/", "/stream", "/stream")
            with load.running():
                for number in range(2, 22):
                    write(vault, number)
                    time.sleep(0.25)
                assert eventually(lambda: f"{'21 ' * 4}" in load.answers)
            state = granian.get("/health/ready").json()["secrets"]
            assert granian.stop() == 0
            log = granian.log()
    assert load.failed == []
    assert all(len(set(answer.split())) == 1 for answer in load.answers), load.answers
    assert {answer.split()[0] for answer in load.answers} == {str(n) for n in range(1, 22)}
    assert (state["rotations"], state["failures"], state["logins"]) == (20, 0, 1)
    for number in range(1, 22):
        assert len(re.findall(rf"^client {number} opened", log, re.MULTILINE)) == 1
        assert len(re.findall(rf"^client {number} closed", log, re.MULTILINE)) == 1


@pytest.mark.slow
def test_each_of_several_workers_takes_it_up_within_the_interval(evidence: Evidence) -> None:
    with VaultServer() as vault:
        set_up(vault)
        with site(vault, evidence, workers=2, interval=0.3) as granian:
            granian.serving()
            write(vault, 2)
            time.sleep(0.3 * 1.1 + 0.4)
            answers = {granian.get("/which").text for _ in range(40)}
            assert granian.stop() == 0
    assert {answer.split()[1] for answer in answers} == {"2"}


@pytest.mark.parametrize("password", ["right", "wrong"])
@pytest.mark.slow
def test_eight_workers_that_boot_at_once_log_in_once_each(
    password: str, evidence: Evidence
) -> None:
    given = PASSWORD if password == "right" else WRONG_PASSWORD
    with VaultServer() as vault:
        set_up(vault)
        # Eight passwords are hashed at once: a login that is given up would be tried again.
        with site(vault, evidence, workers=8, password=given, read_timeout=15.0) as granian:
            if password == "right":
                granian.serving()
                assert granian.stop() == 0
                assert vault.logins() == 8
            else:
                assert granian.ends() == 1
                assert 1 <= vault.logins() <= 8
