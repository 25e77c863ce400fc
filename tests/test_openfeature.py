"""OpenFeature's clients ask this worker's flags."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagEvaluationDetails, Reason
from openfeature.provider import ProviderStatus

from resident.flags.resource import current, flags
from resident.openfeature import ResidentProvider
from resident.testing import override_flag
from resident.worker import worker

FEATURES = """
namespace: shop
flags:
  - {key: constant, name: x, type: BOOLEAN_FLAG_TYPE, enabled: true}
  - key: rollouts
    name: x
    type: BOOLEAN_FLAG_TYPE
    rollouts:
      - segment: {key: staff, value: true}
      - threshold: {percentage: 50, value: true}
  - key: style
    name: x
    enabled: true
    variants:
      - {key: loud, attachment: {mark: "!"}}
      - {key: plain, default: true}
    rules:
      - {segment: staff, distributions: [{variant: loud, rollout: 100}]}
  - key: off
    name: x
    variants: [{key: loud}]
    rules:
      - {segment: staff, distributions: [{variant: loud, rollout: 100}]}
  - {key: none, name: x, enabled: true, variants: [{key: loud}]}
  - {key: whole, name: x, enabled: true, variants: [{key: "42", default: true}]}
  - {key: real, name: x, enabled: true, variants: [{key: "0.5", default: true}]}
  - {key: listed, name: x, enabled: true, variants: [{key: a, default: true, attachment: [1, 2]}]}
segments:
  - key: staff
    name: Staff
    match_type: ALL_MATCH_TYPE
    constraints:
      - {type: BOOLEAN_COMPARISON_TYPE, property: is_staff, operator: "true"}
"""

STAFF = EvaluationContext("7", {"is_staff": True})


@pytest.fixture
def client(tmp_path: Path) -> Iterator[OpenFeatureClient]:
    path = tmp_path / "features.yml"
    path.write_text(FEATURES)
    with override_settings(RESIDENT_FLAGS={"FEATURES": path, "NAMESPACE": "shop"}):
        api.set_provider(ResidentProvider())
        assert not worker.is_open(flags), "setting it opens nothing"
        yield api.get_client()
    api.clear_providers()


def told(details: FlagEvaluationDetails[Any]) -> tuple[Any, ...]:
    return details.value, details.reason, details.variant, details.error_code


def test_booleans(client: OpenFeatureClient) -> None:
    get = client.get_boolean_details
    assert told(get("constant", False)) == (True, Reason.STATIC, None, None)
    assert told(get("rollouts", False, STAFF)) == (True, Reason.TARGETING_MATCH, None, None)
    reasons = {
        (details.value, details.reason)
        for number in range(50)
        for details in [get("rollouts", False, EvaluationContext(str(number)))]
    }
    assert reasons == {(True, Reason.SPLIT), (False, Reason.DEFAULT)}
    assert client.get_boolean_value("constant", False) is True


def test_strings(client: OpenFeatureClient) -> None:
    get = client.get_string_details
    assert told(get("style", "x", STAFF)) == ("loud", Reason.TARGETING_MATCH, "loud", None)
    assert told(get("style", "x")) == ("plain", Reason.DEFAULT, "plain", None)
    assert told(get("off", "x", STAFF)) == ("x", Reason.DISABLED, None, None)
    assert told(get("none", "x")) == ("x", Reason.STATIC, None, None)


def test_numbers(client: OpenFeatureClient) -> None:
    assert client.get_integer_value("whole", 1) == 42
    assert client.get_float_value("whole", 1.0) == 42.0
    assert isinstance(client.get_float_value("whole", 1.0), float)
    assert client.get_float_value("real", 1.0) == 0.5
    with override_flag("real", "half", attachment=2.5):
        assert client.get_float_value("real", 1.0) == 2.5
        assert told(client.get_integer_details("real", 1))[3] is ErrorCode.TYPE_MISMATCH
    with override_flag("whole", "few", attachment=3):
        assert client.get_integer_value("whole", 1) == 3
        assert client.get_float_value("whole", 1.0) == 3.0
    with override_flag("whole", "yes", attachment=True):
        assert told(client.get_integer_details("whole", 1))[3] is ErrorCode.TYPE_MISMATCH


def test_objects(client: OpenFeatureClient) -> None:
    assert client.get_object_value("style", {}, STAFF) == {"mark": "!"}
    assert client.get_object_value("listed", {}) == [1, 2]


@pytest.mark.parametrize(
    ("method", "key", "default", "said"),
    [
        ("boolean", "style", False, "The flag 'style' gives variants, and is not on or off."),
        ("string", "constant", "x", "The flag 'constant' is on or off, and gives no variant."),
        ("integer", "real", 1, "The flag 'real' gives '0.5', which is no number."),
        ("float", "style", 1.0, "The flag 'style' gives 'plain', which is no number."),
        ("object", "style", {}, "The flag 'style' gives 'plain', to which no object is attached."),
        ("object", "constant", [], "The flag 'constant' is on or off, and gives no variant."),
    ],
)
def test_another_type(
    client: OpenFeatureClient, method: str, key: str, default: Any, said: str
) -> None:
    details = getattr(client, f"get_{method}_details")(key, default)
    assert told(details) == (default, Reason.ERROR, None, ErrorCode.TYPE_MISMATCH)
    assert details.error_message == said


def test_an_unknown_flag(client: OpenFeatureClient) -> None:
    details = client.get_string_details("other", "x")
    assert told(details) == ("x", Reason.ERROR, None, ErrorCode.FLAG_NOT_FOUND)
    assert details.error_message == "The flag 'other' is unknown to the namespace 'shop'."


def test_an_unknown_namespace(client: OpenFeatureClient) -> None:
    details = ResidentProvider("nowhere").resolve_boolean_details("constant", False)
    assert details.error_code is ErrorCode.FLAG_NOT_FOUND
    assert not details.value


def test_the_context_becomes_strings(client: OpenFeatureClient) -> None:
    for context in (
        EvaluationContext("7", {"is_staff": True, "since": datetime.now(UTC)}),
        EvaluationContext("7", {"is_staff": "true", "visits": [1, 2]}),
    ):
        assert client.get_string_value("style", "x", context) == "loud"


def test_what_is_told_about_a_flag(client: OpenFeatureClient) -> None:
    details = client.get_boolean_details("constant", False)
    assert details.flag_metadata["namespace"] == "shop"
    assert details.flag_metadata["version"]
    assert api.get_provider_metadata().name == "resident"
    assert client.get_provider_status() is ProviderStatus.READY


def test_they_are_counted_and_remembered(client: OpenFeatureClient) -> None:
    for number in range(100):
        context = EvaluationContext("7", {"is_staff": True, "visit": number})
        assert client.get_string_value("style", "x", context) == "loud"
    assert current()["shop"].counts["style"]["loud"] == 100
    assert current()["shop"]._reasons.cache_info().misses == 1


def test_an_entity_that_the_engine_does_not_take(
    client: OpenFeatureClient, caplog: pytest.LogCaptureFixture
) -> None:
    details = client.get_boolean_details("rollouts", True, EvaluationContext(" "))
    assert told(details) == (True, Reason.ERROR, None, ErrorCode.GENERAL)
    assert "flag 'rollouts' gives its default" in caplog.text


def test_overrides(client: OpenFeatureClient) -> None:
    with override_flag("constant", False), override_flag("new", True, namespace="shop"):
        assert told(client.get_boolean_details("constant", True))[:2] == (False, Reason.STATIC)
        assert client.get_boolean_value("new", False) is True
    with override_flag("style", "odd", attachment={"a": 1}):
        assert client.get_object_value("style", {}) == {"a": 1}
    with override_flag("style", None):
        assert client.get_string_value("style", "x", STAFF) == "x"


def test_async(client: OpenFeatureClient) -> None:
    async def ask() -> list[Any]:
        return [
            await client.get_boolean_value_async("constant", False),
            await client.get_string_value_async("style", "x", STAFF),
            await client.get_integer_value_async("whole", 1),
            await client.get_float_value_async("real", 1.0),
            await client.get_object_value_async("listed", {}),
        ]

    assert asyncio.run(ask()) == [True, "loud", 42, 0.5, [1, 2]]


def test_flags_that_can_not_be_opened(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with override_settings(RESIDENT_FLAGS={"FEATURES": tmp_path / "none.yml", "DEADLINE": 0.1}):
        details = ResidentProvider().resolve_boolean_details("constant", True)
    assert details.value is True
    assert details.error_code is ErrorCode.PROVIDER_NOT_READY
    assert "none.yml can't be read" in str(details.error_message)
    assert "flag 'constant' gives its default" in caplog.text


def test_it_never_raises(client: OpenFeatureClient, caplog: pytest.LogCaptureFixture) -> None:
    class Odd:
        def __str__(self) -> str:
            raise LookupError("on purpose")

    context = EvaluationContext("7", {"is_staff": Odd()})  # type: ignore[dict-item]
    details = ResidentProvider().resolve_string_details("style", "x", context)
    assert (details.value, details.error_code) == ("x", ErrorCode.GENERAL)
    assert details.error_message == "LookupError"
    assert "on purpose" in caplog.text
