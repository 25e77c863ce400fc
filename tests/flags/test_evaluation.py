"""What a view asks, and what it is answered."""

import asyncio
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import SynchronousOnlyOperation
from django.http import HttpRequest
from django.test import RequestFactory, override_settings

from resident.flags import (
    BooleanFlag,
    Variant,
    VariantFlag,
    aflag_enabled,
    aflag_variant,
    flag_enabled,
    flag_variant,
    flags,
)
from resident.flags.asking import MOST_SAID, Failures
from resident.flags.opening import opening
from resident.flags.resource import current
from resident.signals import flag_evaluated
from resident.testing import FakeFlipt, override_flag
from resident.worker import worker
from tests.evidence import BOOTSTRAP_TOKEN
from tests.flags.asked import FEATURES, Untouched, asked_by, served


@pytest.fixture(autouse=True)
def features(tmp_path: Path) -> Iterator[Path]:
    with served(tmp_path) as path:
        yield path


@pytest.fixture
def heard() -> Iterator[list[dict[str, Any]]]:
    """What `flag_evaluated` was sent with."""
    sent: list[dict[str, Any]] = []

    def hear(**what: Any) -> None:
        sent.append(what)

    flag_evaluated.connect(hear)
    yield sent
    flag_evaluated.disconnect(hear)


def test_a_flag_that_is_the_same_for_all_does_not_look_at_the_user() -> None:
    user = Untouched()
    assert flag_enabled("launched", asked_by(user))
    assert not flag_enabled("withdrawn", asked_by(user))
    assert user.looked_at == []
    assert not flag_enabled("staff_only", asked_by(user))
    assert user.looked_at == ["is_staff"]


def test_a_percentage_of_users_by_their_key() -> None:
    answers = [flag_enabled("half", asked_by(User(pk=pk))) for pk in range(100)]
    assert 30 < sum(answers) < 70
    assert answers == [flag_enabled("half", entity_id=str(pk)) for pk in range(100)]
    assert answers == [
        flag_enabled("half", asked_by(User()), entity_id=str(pk)) for pk in range(100)
    ]


def test_a_variant_brings_its_attachment() -> None:
    variant = flag_variant("style", context={"plan": "pro"})
    assert variant is not None
    assert variant == "loud"
    assert variant.attachment == {"mark": "!"}


class TestDefaults:
    def test_unknown(self) -> None:
        assert flag_enabled("unknown", default=True)
        assert not flag_enabled("unknown")
        assert flag_variant("unknown") is None
        assert flag_variant("unknown", default="plain") == "plain"

    def test_another_type(self) -> None:
        assert flag_enabled("style", default=True)
        assert flag_variant("launched", default="plain") == "plain"

    def test_no_variant(self) -> None:
        assert flag_variant("style") is None
        assert flag_variant("style", default="plain") == "plain"
        default = Variant("quiet", '{"mark": "."}')
        assert flag_variant("style", default=default) is default

    def test_no_flags_at_all(self) -> None:
        with override_settings(RESIDENT_FLAGS={}):
            assert flag_enabled("launched", default=True)
            assert not flag_enabled("launched")

    def test_several_namespaces(self, features: Path) -> None:
        both = (
            FEATURES
            + "---\nnamespace: shop\n"
            + FEATURES.replace("enabled: true", "enabled: false")
        )
        features.write_text(both)
        options = {"FEATURES": features, "NAMESPACES": ["shop"]}
        with override_settings(RESIDENT_FLAGS=options):
            assert flag_enabled("launched")
            assert not flag_enabled("launched", namespace="shop")
            assert flags()["launched"] is True
            assert flags(namespace="shop")["launched"] is False
            assert not flag_enabled(BooleanFlag("launched", namespace="shop"))
        with override_settings(RESIDENT_FLAGS={**options, "NAMESPACE": "shop", "NAMESPACES": []}):
            worker.close()
            assert not flag_enabled("launched")

    def test_another_namespace(self, caplog: pytest.LogCaptureFixture) -> None:
        assert flag_enabled("launched", namespace="default")
        assert flag_enabled("elsewhere", namespace="nowhere", default=True)
        assert not flag_enabled("elsewhere", namespace="nowhere")
        [record] = [it for it in caplog.records if it.levelno == logging.ERROR]
        assert "There are no flags of namespace 'nowhere'" in record.getMessage()
        assert "RESIDENT_FLAGS['NAMESPACES']" in record.getMessage()


class TestFailures:
    """Whatever fails, the request goes on."""

    def test_a_source_that_can_not_be_opened(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with override_settings(RESIDENT_FLAGS={"FEATURES": tmp_path / "none.yml"}):
            assert flag_enabled("of_a_missing_file", default=True)
            assert not flag_enabled("of_a_missing_file")
            assert flag_variant("of_a_missing_file", default="plain") == "plain"
            assert dict(flags()) == {}
            with pytest.raises(KeyError):
                flags()["of_a_missing_file"]
        told = [it.getMessage() for it in caplog.records if "of_a_missing_file" in it.getMessage()]
        assert len(told) == 1
        assert "none.yml can't be read" in told[0]

    def test_a_user_that_can_not_be_looked_up(self, caplog: pytest.LogCaptureFixture) -> None:
        class Broken:
            @property
            def is_staff(self) -> bool:
                raise OSError("the database is away")

            is_authenticated = pk = is_staff

        for _ in range(3):
            assert flag_enabled("staff_only", asked_by(Broken()), default=True)
            assert flag_variant("shades", asked_by(Broken()), default="dark") == "dark"
            assert flags(asked_by(Broken()))["half"] is False
            assert flags(asked_by(Broken()))["shades"] is None
        told = [it for it in caplog.records if it.levelno == logging.ERROR]
        assert all("the database is away" in str(it.exc_info) for it in told)
        keys = [str(it.args[0]) for it in told if isinstance(it.args, tuple)]
        assert sorted(keys) == ["half", "shades", "staff_only"]

    @pytest.mark.parametrize("wrong", [[], {"FEATURES": 3}, {"NAMESPACES": 3}, {"COOKIE": "a;b"}])
    def test_settings_that_are_wrong(self, wrong: object) -> None:
        request = asked_by(AnonymousUser())
        with override_settings(RESIDENT_FLAGS=wrong), override_flag("another", True):
            assert not flag_enabled("with_wrong_settings", request)
            assert flag_variant("with_wrong_settings", request, default="plain") == "plain"
            assert asyncio.run(aflag_enabled("with_wrong_settings", request, default=True))
            assert "with_wrong_settings" not in flags(request)

    def test_a_key_that_is_none(self) -> None:
        key: Any = ["no", "key"]
        assert flag_enabled(key, default=True)
        assert flag_variant(key) is None
        assert asyncio.run(aflag_enabled(key, asked_by(AnonymousUser()), default=True))

    def test_keys_from_outside_do_not_fill_the_memory(self, tmp_path: Path) -> None:
        failures = Failures()
        for number in range(MOST_SAID + 10):
            failures.tell(f"flag{number}", OSError())
        assert len(failures._said) == MOST_SAID


class TestAllAtOnce:
    def test_each_is_evaluated_when_it_is_read(self) -> None:
        user = Untouched()
        found = flags(asked_by(user))
        keys = "authors_only half in_basket launched shades staff_only style withdrawn"
        assert list(found) == keys.split()
        assert len(found) == 8
        assert found["launched"] is True
        assert found["withdrawn"] is False
        assert user.looked_at == []
        assert found["staff_only"] is False
        assert found["style"] is None
        assert "unknown" not in found
        assert repr(found).startswith("<Flags of 'default': authors_only, half,")

    def test_somebody_in_particular(self) -> None:
        found = flags(entity_id="7", context={"plan": "pro", "is_staff": True})
        assert found["style"] == "loud"
        assert found["staff_only"] is True
        assert found["half"] == flag_enabled("half", entity_id="7")

    def test_they_are_of_one_snapshot(self, features: Path) -> None:
        found = flags()
        before = current()["default"]
        features.write_text(features.read_text().replace("enabled: true", "enabled: false"))
        worker.close()
        assert not flag_enabled("launched")
        assert current()["default"] is not before
        assert found["launched"] is True

    def test_overridden(self) -> None:
        with override_flag("launched", False), override_flag("style", "plain"):
            assert flags()["launched"] is False
            assert flags()["style"] == "plain"
        with override_flag("new", True), override_flag("other", True, namespace="elsewhere"):
            assert flags()["new"] is True
            assert "other" not in flags()
            assert dict(flags(namespace="elsewhere")) == {"new": True, "other": True}


class TestOverrides:
    def test_they_come_first(self) -> None:
        with override_flag("launched", False), override_flag("style", "plain"):
            assert not flag_enabled("launched", default=True)
            assert flag_variant("style") == "plain"
        with override_flag("style", None):
            assert flag_variant("style", context={"plan": "pro"}) is None
            assert flag_variant("style", context={"plan": "pro"}, default="plain") == "plain"

    def test_one_of_another_type_gives_the_default(self) -> None:
        with override_flag("launched", "loud"), override_flag("style", True):
            assert not flag_enabled("launched")
            assert flag_variant("style", default="plain") == "plain"

    def test_no_source_is_asked(self, tmp_path: Path) -> None:
        with (
            override_settings(RESIDENT_FLAGS={"FEATURES": tmp_path / "none.yml"}),
            override_flag("anything", True),
        ):
            assert flag_enabled("anything")


class TestDeclarations:
    """A declared flag is its key wherever one is expected, and is in its own namespace."""

    def test_the_namespace_is_theirs(self) -> None:
        elsewhere = BooleanFlag("launched", namespace="elsewhere_declared")
        assert flag_enabled(BooleanFlag("launched"))
        assert not flag_enabled(elsewhere)
        with override_flag(elsewhere, True):
            assert flag_enabled(elsewhere)
            assert flag_enabled("launched", namespace="elsewhere_declared")

    def test_variants(self) -> None:
        style = VariantFlag("style", namespace="default")
        assert flag_variant(style, context={"plan": "pro"}) == "loud"
        assert asyncio.run(aflag_variant(style, context={"plan": "pro"})) == "loud"


class TestSignal:
    def test_who_listens_hears_of_each_evaluation(self, heard: list[dict[str, Any]]) -> None:
        request = asked_by(User(pk=1, is_staff=True))
        flag_enabled("staff_only", request)
        flag_variant("style", default="plain", namespace="default")
        flags(request)["launched"]
        flags(request)["style"]
        assert heard == [
            self.of(flag_enabled, key="staff_only", value=True, request=request, default=False),
            self.of(flag_variant, key="style", value="plain", default="plain", namespace="default"),
            self.of(flag_enabled, key="launched", value=True, request=request, namespace="default"),
            self.of(flag_variant, key="style", value=None, request=request, namespace="default"),
        ]

    def of(self, sender: object, **what: Any) -> dict[str, Any]:
        nothing = {"request": None, "default": None, "namespace": None}
        return {"signal": flag_evaluated, "sender": sender, **nothing, **what}

    def test_a_receiver_that_fails(self, caplog: pytest.LogCaptureFixture) -> None:
        def fail(**_: Any) -> None:
            raise OSError("no disk")

        async def too_late(**_: Any) -> None: ...

        async def ask() -> bool:
            return flag_enabled("launched")

        flag_evaluated.connect(fail)
        flag_evaluated.connect(too_late)
        try:
            assert flag_enabled("launched")
            assert "no disk" in caplog.text
            assert asyncio.run(ask())
            assert "flag_evaluated was not sent to all" in caplog.text
        finally:
            flag_evaluated.disconnect(fail)
            flag_evaluated.disconnect(too_late)


class TestInAnEventLoop:
    """The user may be in a database, which an event loop does not wait for."""

    class Lazy(Untouched):
        """Django's own refuses so where it has to be looked up."""

        def __getattribute__(self, name: str) -> Any:
            if name == "is_staff":
                try:
                    asyncio.get_running_loop()
                except RuntimeError:
                    return True
                raise SynchronousOnlyOperation("not in an event loop")
            return super().__getattribute__(name)

    def test_it_is_looked_up_in_a_thread(self) -> None:
        async def ask() -> tuple[bool, bool]:
            request = asked_by(self.Lazy())
            first = await aflag_enabled("staff_only", request)
            # From here on it is known.
            return first, flag_enabled("staff_only", request)

        assert asyncio.run(ask()) == (True, True)

    def test_it_is_not_where_nobody_asks_for_it(self) -> None:
        async def ask() -> list[object]:
            user = Untouched()
            request = asked_by(user)
            return [
                await aflag_enabled("launched", request),
                await aflag_enabled("unknown", request, default=True),
                await aflag_variant("style", request, default="plain"),
                await aflag_variant("style", request, context={"plan": "pro"}),
                await aflag_enabled("half", request, entity_id="3"),
                await aflag_enabled("launched"),
                user.looked_at,
            ]

        half = flag_enabled("half", entity_id="3")
        worker.close()  # which is opened in a thread, too
        assert asyncio.run(ask()) == [True, True, "plain", "loud", half, True, []]

    def test_without_it_the_log_tells_what_to_do(self, caplog: pytest.LogCaptureFixture) -> None:
        async def ask() -> bool:
            return flag_enabled("authors_only", asked_by(Groups()))

        class Groups(AnonymousUser):
            @property
            def groups(self) -> Any:
                raise SynchronousOnlyOperation("not in an event loop")

        assert asyncio.run(ask()) is False
        assert "await aflag_enabled or aflag_variant" in caplog.text

    def test_overridden(self) -> None:
        with override_flag("staff_only", True):
            assert asyncio.run(aflag_enabled("staff_only", asked_by(Untouched())))
        with override_flag("other", True):
            assert asyncio.run(aflag_enabled("staff_only", asked_by(self.Lazy())))


def flipt_at(url: str, **options: Any) -> override_settings:
    """The flags come from there."""
    return override_settings(
        RESIDENT_SECRETS={"OPTIONS": {"values": {"flipt_api_host": url}}}, RESIDENT_FLAGS=options
    )


@pytest.mark.slow
class TestNeverWaiting:
    """Flipt hangs, and no start has opened the flags."""

    def test_one_request_waits_and_no_other(self) -> None:
        with FakeFlipt() as flipt, flipt_at(flipt.url, DEADLINE=2.5, TIMEOUT=0.5):
            flipt.misbehave("hang")
            with ThreadPoolExecutor(4) as threads:
                began = time.monotonic()
                answers = threads.map(
                    lambda _: flag_enabled("launched", default=True), range(4), timeout=20
                )
                assert list(answers) == [True] * 4
                assert time.monotonic() - began < 5
            began = time.monotonic()
            assert not flag_enabled("launched")
            assert time.monotonic() - began < 2
            worker.close()

    def test_it_is_tried_again_after_a_pause(
        self, features: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with FakeFlipt() as flipt, flipt_at(flipt.url, DEADLINE=2.5, TIMEOUT=0.5):
            flipt.load(features)
            flipt.misbehave("hang")
            assert not flag_enabled("launched")
            flipt.behave()
            assert not flag_enabled("launched")
            monkeypatch.setattr(opening, "_until", 0.0)
            assert flag_enabled("launched")
            worker.close()

    def test_what_failed_at_once_is_tried_at_once(self, features: Path, tmp_path: Path) -> None:
        later = tmp_path / "later.yml"
        with override_settings(RESIDENT_FLAGS={"FEATURES": later}):
            assert not flag_enabled("launched")
            later.write_text(features.read_text())
            assert flag_enabled("launched")


class TestSources:
    def test_flipt_where_the_secrets_name_it(self, features: Path) -> None:
        with FakeFlipt(token=BOOTSTRAP_TOKEN) as flipt:
            flipt.load(features)
            flipt.disable("launched")
            values = {"flipt_api_host": flipt.url, "flipt_api_token": BOOTSTRAP_TOKEN}
            with override_settings(RESIDENT_SECRETS={"OPTIONS": {"values": values}}):
                assert not flag_enabled("launched", default=True)
                worker.close()


def test_a_request_without_a_user() -> None:
    request: HttpRequest = RequestFactory().get("/")
    assert not flag_enabled("staff_only", request)
    assert flag_enabled("half", request) == flag_enabled("half", entity_id="anonymous")
