"""A process that wishes for Rust's backtraces: engines come and go, good ones and bad ones."""

from pathlib import Path

from resident.exceptions import FlagsError
from resident.flags import features
from resident.flags.document import Document, Flag, Rollout, ThresholdRollout
from resident.flags.engine import Engine, EngineError

SAMPLE = Path(__file__).parent / "samples" / "features-v2.yml"
NO_NUMBER = Rollout(threshold=ThresholdRollout(percentage=float("inf")))


def main() -> None:
    for _ in range(10):
        assert Engine(features.load(SAMPLE)).boolean("open", "1", {})
    try:
        Engine(features.load(SAMPLE)).boolean("unheard_of", "1", {})
    except EngineError:
        pass
    else:
        raise AssertionError
    flag = Flag(key="f", rollouts=[NO_NUMBER])
    try:
        Engine(Document.empty().model_copy(update={"flags": [flag]}))
    except FlagsError:
        pass
    else:
        raise AssertionError


if __name__ == "__main__":
    main()
