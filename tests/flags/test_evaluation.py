"""What a view asks, and of whom."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from django.test import RequestFactory, override_settings

from resident.exceptions import ConfigurationError, FlagsError
from resident.flags import flag_enabled, flag_variant
from resident.testing import FakeFlipt
from resident.worker import worker
from tests.evidence import BOOTSTRAP_TOKEN
from tests.servers import free_port

FEATURES = """
flags:
  - {key: launched, name: Launched, type: BOOLEAN_FLAG_TYPE, enabled: true}
  - key: staff_only
    name: Staff only
    type: BOOLEAN_FLAG_TYPE
    rollouts: [{segment: {key: staff, value: true}}]
  - key: half
    name: Half
    type: BOOLEAN_FLAG_TYPE
    rollouts: [{threshold: {percentage: 50, value: true}}]
  - key: style
    name: Style
    enabled: true
    variants: [{key: loud, attachment: {mark: "!"}}]
    rules: [{segment: pro, distributions: [{variant: loud, rollout: 100}]}]
segments:
  - key: staff
    name: Staff
    match_type: ALL_MATCH_TYPE
    constraints: [{type: BOOLEAN_COMPARISON_TYPE, property: is_staff, operator: "true"}]
  - key: pro
    name: Pro
    match_type: ANY_MATCH_TYPE
    constraints:
      - {type: STRING_COMPARISON_TYPE, property: plan, operator: eq, value: pro}
      - {type: NUMBER_COMPARISON_TYPE, property: seats, operator: gte, value: "10"}
"""


@pytest.fixture(autouse=True)
def features(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "features.yml"
    path.write_text(FEATURES)
    with override_settings(RESIDENT_FLAGS={"FEATURES": path}):
        yield path


@pytest.fixture
def request_of() -> RequestFactory:
    return RequestFactory()


def asked_by(user: User | AnonymousUser) -> HttpRequest:
    request = RequestFactory().get("/")
    request.user = user
    return request


class Untouched:
    """A user who must not be looked at: that would cost a query, and vary the response."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"the user was asked for {name}")


def test_a_flag_that_is_the_same_for_all_does_not_look_at_the_user() -> None:
    assert flag_enabled("launched", asked_by(Untouched()))  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="the user was asked"):
        flag_enabled("staff_only", asked_by(Untouched()))  # type: ignore[arg-type]


def test_a_segment_of_users() -> None:
    assert flag_enabled("staff_only", asked_by(User(pk=1, is_staff=True)))
    assert not flag_enabled("staff_only", asked_by(User(pk=1)))
    assert not flag_enabled("staff_only", asked_by(AnonymousUser()))
    assert not flag_enabled("staff_only")
    assert not flag_enabled("staff_only", RequestFactory().get("/"))


def test_a_percentage_of_users_by_their_key() -> None:
    answers = [flag_enabled("half", asked_by(User(pk=pk))) for pk in range(100)]
    assert 30 < sum(answers) < 70
    assert answers == [flag_enabled("half", entity_id=str(pk)) for pk in range(100)]


def test_all_anonymous_visitors_are_on_one_side() -> None:
    answers = {flag_enabled("half", asked_by(AnonymousUser())) for _ in range(10)}
    assert answers == {flag_enabled("half", entity_id="anonymous")}


def test_context_beside_the_users() -> None:
    assert flag_enabled("staff_only", context={"is_staff": True})
    assert not flag_enabled("staff_only", asked_by(User(is_staff=True)), context={"is_staff": 0})
    assert flag_variant("style", context={"plan": "pro"}) == "loud"
    assert flag_variant("style", context={"seats": 12}) == "loud"
    assert flag_variant("style", context={"seats": 9}) is None


def test_a_variant_brings_its_attachment() -> None:
    variant = flag_variant("style", context={"plan": "pro"})
    assert variant is not None
    assert variant.attachment == {"mark": "!"}


def test_defaults() -> None:
    assert flag_enabled("unknown", default=True)
    assert not flag_enabled("unknown")
    assert flag_variant("unknown") is None
    assert flag_variant("unknown", default="plain") == "plain"


class TestSources:
    def test_no_flags_at_all(self) -> None:
        with override_settings(RESIDENT_FLAGS={}):
            assert flag_enabled("launched", default=True)
            assert not flag_enabled("launched")

    def test_a_features_file_that_is_missing(self, tmp_path: Path) -> None:
        with (
            override_settings(RESIDENT_FLAGS={"FEATURES": tmp_path / "none.yml"}),
            pytest.raises(FlagsError, match=r"none\.yml can't be read"),
        ):
            flag_enabled("launched")

    def test_flipt_where_the_secrets_name_it(self, features: Path) -> None:
        with FakeFlipt(token=BOOTSTRAP_TOKEN) as flipt:
            flipt.load(features)
            flipt.disable("launched")
            values = {"flipt_api_host": flipt.url, "flipt_api_token": BOOTSTRAP_TOKEN}
            with override_settings(RESIDENT_SECRETS={"OPTIONS": {"values": values}}):
                assert not flag_enabled("launched", default=True)
                worker.close()

    @pytest.mark.parametrize(("fallback", "answer"), [("features", True), ("defaults", False)])
    def test_a_fallback_while_flipt_is_away(
        self, features: Path, fallback: str, answer: bool
    ) -> None:
        flags = {"FEATURES": features, "FALLBACK": fallback, "DEADLINE": 0.1}
        with override_settings(RESIDENT_SECRETS=flipt_is_away(), RESIDENT_FLAGS=flags):
            assert flag_enabled("launched") is answer

    def test_no_fallback_by_default(self, features: Path) -> None:
        flags = {"FEATURES": features, "DEADLINE": 0.1}
        with (
            override_settings(RESIDENT_SECRETS=flipt_is_away(), RESIDENT_FLAGS=flags),
            pytest.raises(FlagsError, match="can't be reached"),
        ):
            flag_enabled("launched")

    def test_a_fallback_to_a_file_that_is_not_named(self) -> None:
        with (
            override_settings(
                RESIDENT_SECRETS=flipt_is_away(), RESIDENT_FLAGS={"FALLBACK": "features"}
            ),
            pytest.raises(ConfigurationError, match="there is no features file"),
        ):
            flag_enabled("launched")


def flipt_is_away() -> dict[str, object]:
    return {"OPTIONS": {"values": {"flipt_api_host": f"http://127.0.0.1:{free_port()}"}}}
