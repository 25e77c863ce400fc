"""What an engine answers, and what Flipt's rules say that it should."""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from resident.flags import features
from resident.flags.document import Document
from resident.flags.engine import Engine
from tests.flags import bucketing

__all__ = ["SAMPLES", "expected", "given", "read"]

SAMPLES = Path(__file__).parent / "samples"

Answers = dict[str, bool | tuple[str, Any] | None]


def given(engine: Engine, entity: str, context: Mapping[str, str]) -> Answers:
    """The engine's answers for all its flags: booleans, or a variant's key and attachment."""
    return {
        key: engine.boolean(key, entity, context)
        if flag.is_boolean
        else _variant(engine, key, entity, context)
        for key, flag in engine.flags.items()
    }


def expected(written: Mapping[str, Any], entity: str, context: Mapping[str, str]) -> Answers:
    """The answers for all flags of a features file."""
    return {
        flag["key"]: bucketing.boolean(written, flag["key"], entity, context)
        if flag.get("type") == "BOOLEAN_FLAG_TYPE"
        else bucketing.variant(written, flag["key"], entity, context)
        for flag in written["flags"]
    }


def read(written: Mapping[str, Any]) -> Document:
    """The document of a features file with that content."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "features.json")
        path.write_text(json.dumps(written, ensure_ascii=False), encoding="utf-8")
        return features.load(path)


def _variant(
    engine: Engine, key: str, entity: str, context: Mapping[str, str]
) -> tuple[str, Any] | None:
    variant = engine.variant(key, entity, context)
    return None if variant is None else (str(variant), variant.attachment)
