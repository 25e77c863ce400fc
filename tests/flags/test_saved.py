"""What is saved of a source's flags serves them again, as they were."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resident.exceptions import FlagsError
from resident.flags import features
from resident.flags.document import Document, parse
from resident.flags.saved import dumped, loaded, save

SAMPLES = sorted((Path(__file__).parent / "samples").glob("document-*.json"))

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ATTACHMENTS = st.just("") | st.dictionaries(TEXT, TEXT | st.integers(), max_size=2).map(json.dumps)
PERCENT = st.floats(0, 100, allow_nan=False)
CONSTRAINTS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            [f"{kind}_CONSTRAINT_COMPARISON_TYPE" for kind in ("STRING", "NUMBER", "ENTITY_ID")]
        ),
        "property": TEXT,
        "operator": st.sampled_from(["eq", "isoneof", "prefix", "of_a_later_version"]),
        "value": TEXT,
    }
)
SEGMENTS = st.lists(
    st.fixed_dictionaries(
        {
            "key": TEXT,
            "matchType": st.sampled_from(["ALL_SEGMENT_MATCH_TYPE", "ANY_SEGMENT_MATCH_TYPE"]),
            "constraints": st.none() | st.lists(CONSTRAINTS, max_size=2),
        }
    ),
    max_size=2,
)
OPERATORS = st.sampled_from(["OR_SEGMENT_OPERATOR", "AND_SEGMENT_OPERATOR"])
RULES = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["", "one", "two"]),
        "segmentOperator": OPERATORS,
        "segments": SEGMENTS,
        "distributions": st.lists(
            st.fixed_dictionaries(
                {"variantKey": TEXT, "variantAttachment": ATTACHMENTS, "rollout": PERCENT}
            ),
            max_size=2,
        ),
    }
)
ROLLOUTS = st.one_of(
    st.fixed_dictionaries({"threshold": st.fixed_dictionaries({"percentage": PERCENT})}),
    st.fixed_dictionaries(
        {
            "segment": st.fixed_dictionaries(
                {"value": st.booleans(), "segmentOperator": OPERATORS, "segments": SEGMENTS}
            )
        }
    ),
)
FLAGS = st.fixed_dictionaries(
    {"key": TEXT, "type": st.sampled_from(["BOOLEAN_FLAG_TYPE", "VARIANT_FLAG_TYPE"])},
    optional={
        "name": TEXT,
        "description": TEXT,
        "enabled": st.booleans(),
        "defaultVariant": st.none()
        | st.fixed_dictionaries({"id": TEXT, "key": TEXT, "attachment": ATTACHMENTS}),
        "rules": st.none() | st.lists(RULES, max_size=3),
        "rollouts": st.lists(ROLLOUTS, max_size=2),
    },
)
DOCUMENTS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"namespace": st.fixed_dictionaries({"key": TEXT}), "flags": st.lists(FLAGS, max_size=3)}
)


def _namespace_of(document: dict[str, Any]) -> str:
    return str(document["namespace"]["key"])


@given(st.lists(DOCUMENTS, min_size=1, max_size=3, unique_by=_namespace_of))
def test_every_document_comes_back_the_same(written: list[dict[str, Any]]) -> None:
    documents = [parse(json.dumps(it).encode(), source="test") for it in written]
    found = loaded(dumped(documents))
    assert found is not None
    assert list(found.values()) == documents
    assert list(found) == [it.namespace.key for it in documents]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_a_features_file_may_be_what_was_saved(sample: Path, tmp_path: Path) -> None:
    document = parse(sample.read_bytes(), source="test")
    other = Document.empty("other")
    path = tmp_path / "flags.json"
    save(path, [document, other])
    assert features.load(path, namespace=document.namespace.key) == document
    assert features.load(path, namespace="other") == other
    assert features.load(path).digest == document.digest
    with pytest.raises(FlagsError, match="has no namespace 'third', but 'default', 'other'"):
        features.load(path, namespace="third")


def test_the_variants_that_are_known_of_what_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "flags.json"
    variant = {"variantKey": "loud", "rollout": 100}
    flags = [
        {"key": "on", "type": "BOOLEAN_FLAG_TYPE"},
        {
            "key": "style",
            "defaultVariant": {"key": "plain"},
            "rules": [{"distributions": [variant]}],
        },
        {"key": "none"},
    ]
    save(path, [Document.model_validate({"namespace": {}, "flags": flags})])
    assert features.variants(path) == {"style": {"loud", "plain"}, "none": frozenset()}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"resident_snapshot": 2}', "a snapshot in the format 2, and not in 1"),
        ('{"resident_snapshot": 1', "is not in Flipt's format"),
        ('{"resident_snapshot": 1}', "documents: Input should be a valid list"),
        ('{"resident_snapshot": 1, "documents": [{"namespace": 5}]}', "documents.0.namespace: "),
    ],
)
def test_what_was_saved_and_is_broken(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "flags.json"
    path.write_text(text)
    with pytest.raises(FlagsError) as raised:
        features.load(path)
    assert said in str(raised.value)
    assert str(path) in str(raised.value)


def test_other_files_are_none_that_were_saved() -> None:
    assert loaded("flags: []") is None
    assert loaded('{"flags": []}') is None
    assert loaded(' {\n "resident_snapshot" : 1, "documents": []}') == {}


def test_it_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "flags.json"
    save(path, [Document.empty()])
    with path.open() as reader:
        save(path, [Document.empty("other")])
        assert '"default"' in reader.read(), "who had begun to read it reads the old one to its end"
    assert '"other"' in path.read_text()
    assert os.listdir(tmp_path) == ["flags.json"]  # noqa: PTH208 - hidden ones too


def test_its_permissions_are_as_of_any_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        save(tmp_path / "flags.json", [Document.empty()])
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "flags.json").stat().st_mode) == 0o640


@pytest.mark.parametrize("name", ["nowhere/flags.json", "file/flags.json", "folder"])
def test_where_it_can_not_be_written(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(FlagsError) as raised:
        save(tmp_path / name, [Document.empty()])
    assert f"The flags can't be saved in {tmp_path / name}: " in str(raised.value)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]
