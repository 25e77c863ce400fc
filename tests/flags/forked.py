"""A process that holds an engine forks: child and parent evaluate, and end like any process."""

import os
import signal
import sys
from pathlib import Path

from resident.flags import features
from resident.flags.engine import Engine

SAMPLE = Path(__file__).parent / "samples" / "features-v2.yml"
PATIENCE = 30


def main() -> int:
    signal.alarm(PATIENCE)
    inherited = Engine(features.load(SAMPLE))
    ask(inherited)
    child = os.fork()
    if child == 0:
        signal.alarm(PATIENCE)  # the parent's does not come along
        ask(inherited)
        ask(Engine(features.load(SAMPLE)))
        kept = Engine(features.load(SAMPLE))
        ask(kept)
        return 0
    _, status = os.waitpid(child, 0)
    ask(inherited)
    ask(Engine(features.load(SAMPLE)))
    return os.waitstatus_to_exitcode(status)


def ask(engine: Engine) -> None:
    assert engine.boolean("show_reverse_greeting", "1", {"is_staff": "true"})
    assert engine.variant("lottery", "1", {}) == "prize"


if __name__ == "__main__":
    sys.exit(main())
