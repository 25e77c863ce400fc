"""`override_flag`: one answer while a test runs, in every thread, and none afterwards."""

import asyncio
import copy
import inspect
import random
import sys
import threading
import unittest
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resident import testing
from resident.exceptions import FlagsError
from resident.flags import BooleanFlag, Variant, VariantFlag, flag_enabled, flag_variant
from resident.flags.overrides import Override, Overrides, overrides
from resident.testing import override_flag

pytest_plugins = ["pytester"]

NEW = BooleanFlag("new", namespace="shop")
STYLE = VariantFlag("style", variants=("plain", "compact"))


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    assert not overrides.values
    yield
    assert not overrides.values


def test_a_context_manager_for_each_type_of_answer() -> None:
    """Nothing is configured here: no Flipt, no features file that has these."""
    assert not flag_enabled("new")
    with override_flag("new", True):
        assert flag_enabled("new")
    with override_flag("new", False):
        assert not flag_enabled("new", default=True)
    with override_flag("style", "compact", attachment={"columns": 2}):
        variant = flag_variant("style", default="plain")
    assert variant == "compact"
    assert isinstance(variant, Variant)
    assert variant.attachment == {"columns": 2}
    with override_flag("style", None):
        assert flag_variant("style") is None
        assert flag_variant("style", default="plain") == "plain"
    assert not flag_enabled("new")


def test_the_inner_one_wins_and_the_outer_one_comes_back() -> None:
    with override_flag("new", True):
        with override_flag("new", False), override_flag("other", True):
            assert not flag_enabled("new")
            assert flag_enabled("other")
        assert flag_enabled("new")
        assert not flag_enabled("other")


def test_nothing_is_left_after_an_exception() -> None:
    with pytest.raises(LookupError), override_flag("new", True):
        raise LookupError
    assert not flag_enabled("new")


@pytest.mark.parametrize("first", [0, 1, 2])
@pytest.mark.parametrize("second", [0, 1])
def test_those_that_overlap_end_in_any_order(first: int, second: int) -> None:
    held = [override_flag("style", key) for key in ("one", "two", "three")]
    with ExitStack() as stack:
        exits = [stack.enter_context(ExitStack()) for _ in held]
        for override, leave in zip(held, exits, strict=True):
            leave.enter_context(override)
        while held:
            assert flag_variant("style") == held[-1]._value
            place = [first, second, 0][3 - len(held)]
            held.pop(place)
            exits.pop(place).close()
        assert flag_variant("style") is None


@given(st.lists(st.sampled_from([None, "shop", "other"]), max_size=6), st.randoms())
def test_the_last_one_that_covers_a_namespace_answers(
    namespaces: list[str | None], order: random.Random
) -> None:
    some = Overrides()
    held = [Override("style", Variant(f"v{n}"), it) for n, it in enumerate(namespaces)]
    for override in held:
        some.hold(override)
    while held:
        for asked in ("shop", "other"):
            covering = [it.value for it in held if it.namespace in (None, asked)]
            assert some.of("style", asked, None) == [None, *covering][-1]
        some.drop(held.pop(order.randrange(len(held))))
    assert not some.values


def test_one_namespace() -> None:
    with override_flag("new", True, namespace="shop"):
        assert flag_enabled("new", namespace="shop")
        assert not flag_enabled("new")
    with override_flag("new", True, namespace="default"):
        assert flag_enabled("new"), "the default namespace is meant where none is named"
    with override_flag("new", True):
        assert flag_enabled("new", namespace="shop")


def test_one_instance_may_be_used_again_also_while_it_holds() -> None:
    override = override_flag("new", True)
    with override:
        with override_flag("new", False):
            with override:
                assert flag_enabled("new")
            assert not flag_enabled("new")
        assert flag_enabled("new")
    with override:
        assert flag_enabled("new")


def test_every_thread_sees_it() -> None:
    seen: list[bool] = []
    with override_flag("new", True):
        thread = threading.Thread(target=lambda: seen.append(flag_enabled("new")))
        thread.start()
        thread.join()
    assert seen == [True]


def test_threads_that_override_at_a_time_leave_nothing() -> None:
    wrong: list[str] = []

    def work(key: str) -> None:
        for _ in range(500):
            with override_flag(key, True), override_flag("shared", True):
                if not (flag_enabled(key) and flag_enabled("shared")):
                    wrong.append(key)

    threads = [threading.Thread(target=work, args=(f"flag{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_tasks_that_overlap() -> None:
    async def hold(key: str, until: asyncio.Event) -> bool:
        with override_flag(key, True):
            await until.wait()
            return flag_enabled(key)

    async def both() -> list[bool]:
        events = [asyncio.Event(), asyncio.Event()]
        tasks = [asyncio.create_task(hold(f"flag{n}", it)) for n, it in enumerate(events)]
        await asyncio.sleep(0)
        for event in events:
            event.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(both()) == [True, True]


def test_a_function() -> None:
    @override_flag("new", True)
    def asked(first: int, *, second: int = 2) -> tuple[bool, int, int]:
        """Asks."""
        return flag_enabled("new"), first, second

    assert asked(1) == (True, 1, 2)
    assert asked(1) == (True, 1, 2), "it decorates as often as it is called"
    assert asked.__doc__ == "Asks."
    assert list(inspect.signature(asked).parameters) == ["first", "second"]
    assert not flag_enabled("new")


def test_several_on_one_function() -> None:
    @override_flag("new", True)
    @override_flag("style", "compact")
    @override_flag("new", False)
    def asked() -> tuple[bool, Variant | None]:
        return flag_enabled("new"), flag_variant("style")

    assert asked() == (False, "compact")


def test_a_coroutine() -> None:
    @override_flag("new", True)
    async def asked() -> bool:
        await asyncio.sleep(0)
        return flag_enabled("new")

    assert inspect.iscoroutinefunction(asked)
    coroutine = asked()
    assert not flag_enabled("new"), "it has not begun"
    assert asyncio.run(coroutine)


def test_a_generator_until_it_ends() -> None:
    @override_flag("new", True)
    def fixture() -> Iterator[bool]:
        yield flag_enabled("new")

    assert inspect.isgeneratorfunction(fixture)
    running = fixture()
    assert not flag_enabled("new"), "it has not begun"
    assert next(running)
    assert flag_enabled("new"), "what uses a fixture has it"
    assert next(running, None) is None
    assert not flag_enabled("new")


def test_an_asynchronous_generator_until_it_ends() -> None:
    closed: list[bool] = []

    @override_flag("new", True)
    async def fixture() -> AsyncIterator[bool]:
        try:
            yield flag_enabled("new")
        finally:
            closed.append(flag_enabled("new"))

    async def use() -> None:
        running = fixture()
        assert await anext(running)
        assert flag_enabled("new")
        await running.aclose()  # type: ignore[attr-defined]
        assert not flag_enabled("new")
        assert [it async for it in fixture()] == [True]

    assert inspect.isasyncgenfunction(fixture)
    asyncio.run(use())
    assert closed == [True, True]
    assert not flag_enabled("new")


def run(case: type[unittest.TestCase]) -> unittest.TestResult:
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
    result = unittest.TestResult()
    suite.run(result)
    return result


def test_a_test_case_from_before_its_set_up_until_after_its_tear_down() -> None:
    seen: list[str] = []

    class Inherited(unittest.TestCase):
        @classmethod
        def setUpClass(cls) -> None:
            seen.append(f"base {flag_variant('style')}")

    @override_flag("style", "compact")
    class Case(Inherited):
        @classmethod
        def setUpClass(cls) -> None:
            super().setUpClass()
            seen.append(f"setUpClass {flag_variant('style')} {cls.__name__}")

        @classmethod
        def tearDownClass(cls) -> None:
            seen.append(f"tearDownClass {flag_variant('style')}")

        def setUp(self) -> None:
            seen.append(f"setUp {flag_variant('style')}")

        def test_it(self) -> None:
            seen.append(f"test {flag_variant('style')}")

        @override_flag("style", "plain")
        def test_other(self) -> None:
            seen.append(f"other {flag_variant('style')}")

    class Derived(Case):
        test_other = None  # type: ignore[assignment]

    assert run(Case).wasSuccessful()
    assert seen == [
        "base compact",
        "setUpClass compact Case",
        "setUp compact",
        "test compact",
        "setUp compact",
        "other plain",
        "tearDownClass compact",
    ]
    assert not overrides.values
    seen.clear()
    assert run(Derived).wasSuccessful()
    assert seen[1:] == [
        "setUpClass compact Derived",
        "setUp compact",
        "test compact",
        "tearDownClass compact",
    ]
    Inherited.setUpClass()
    assert seen[-1] == "base None", "the class that it is derived from is as it was"


def test_a_test_case_that_fails_to_be_set_up() -> None:
    @override_flag("new", True)
    class Case(unittest.TestCase):
        @classmethod
        def setUpClass(cls) -> None:
            raise LookupError(flag_enabled("new"))

        def test_it(self) -> None:
            raise AssertionError

    ((_, said),) = run(Case).errors
    assert "LookupError: True" in said


def test_several_on_one_test_case_and_a_mixin() -> None:
    @override_flag("other", True)
    class Mixin:
        pass

    @override_flag("style", "compact")
    @override_flag("new", True)
    class Case(Mixin, unittest.IsolatedAsyncioTestCase):
        async def test_it(self) -> None:
            assert flag_enabled("new")
            assert flag_enabled("other")
            assert flag_variant("style") == "compact"

    result = run(Case)
    assert result.testsRun == 1
    assert result.wasSuccessful(), result.failures


FORMS = """
import threading
import unittest
import urllib.request
from unittest import mock

import pytest
from django.test import AsyncClient, Client, LiveServerTestCase, SimpleTestCase, TestCase
from hypothesis import given, strategies as st

from resident.flags import flag_enabled, flag_variant
from resident.flags.overrides import Override, Overrides, overrides
from resident.testing import override_flag


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left():
    assert not overrides.values
    yield
    print("left:", dict(overrides.values))
    assert not overrides.values


@override_flag("new", True)
class TestPlain:
    @classmethod
    def setup_class(cls):
        assert flag_enabled("new")
        cls.is_set_up = True

    def setup_method(self):
        assert flag_enabled("new")

    @staticmethod
    def teardown_class():
        assert flag_enabled("new")

    def test_it(self):
        assert self.is_set_up
        assert flag_enabled("new")

    @override_flag("new", False)
    def test_inner(self):
        assert not flag_enabled("new")

    @pytest.mark.parametrize("number", [1, 2])
    @override_flag("style", "compact")
    def test_with_arguments(self, number, override_flag):
        assert flag_variant("style") == "compact"
        override_flag("style", "plain")
        assert flag_variant("style") == "plain"


class TestDerived(TestPlain):
    def test_more(self):
        assert self.is_set_up
        assert flag_enabled("new")


class TestElsewhere:
    def test_it(self):
        assert not flag_enabled("new")


@override_flag("new", True)
class TestBare:
    def test_it(self):
        assert flag_enabled("new")

    class TestWithin:
        def test_it(self):
            assert flag_enabled("new")


@override_flag("new", True)
@given(st.booleans())
def test_given(_):
    assert flag_enabled("new")


@given(st.booleans())
@override_flag("new", True)
def test_given_inside(_):
    assert flag_enabled("new")


@override_flag("new", True)
@mock.patch("os.getcwd")
def test_mocked(getcwd, tmp_path):
    assert flag_enabled("new")
    assert tmp_path


class Base:
    def setup_class(cls):
        cls.by_base = flag_enabled("new")


@override_flag("style", "compact")
@override_flag("new", True)
class TestInherits(Base):
    def test_it(self):
        assert self.by_base
        assert flag_variant("style") == "compact"


@override_flag("new", True)
class TestFailsToBeSetUp:
    def setup_class(self):
        raise LookupError("on purpose")

    def test_it(self):
        pass


def test_after_what_fails_to_be_set_up():
    assert not overrides.values


@override_flag("new", True)
class Mixin:
    pass


class MixedTest(Mixin, unittest.TestCase):
    def test_it(self):
        assert flag_enabled("new")


@override_flag("new", True)
class SimpleCaseTest(SimpleTestCase):
    def test_page(self):
        assert self.client.get("/").content == b"new"

    @override_flag("new", False)
    async def test_async_page(self):
        assert (await self.async_client.get("/")).content == b"old"


@override_flag("new", True)
class DatabaseTest(TestCase):
    @classmethod
    def setUpTestData(cls):
        assert flag_enabled("new")

    def test_it(self):
        assert flag_enabled("new")


class LiveTest(LiveServerTestCase):
    def asked(self):
        with urllib.request.urlopen(self.live_server_url) as answer:
            return answer.read()

    def test_a_live_server_answers_so(self):
        assert self.asked() == b"old"
        with override_flag("new", True):
            assert self.asked() == b"new"
        assert self.asked() == b"old"


@pytest.fixture
@override_flag("style", "compact")
def compact():
    yield flag_variant("style")


def test_a_fixture_under_an_override(compact):
    assert compact == "compact" == flag_variant("style")


def test_pytest_django(client, live_server, override_flag):
    assert client.get("/").content == b"old"
    override_flag("new", True)
    assert client.get("/").content == b"new"
    with urllib.request.urlopen(live_server.url) as answer:
        assert answer.read() == b"new"
    assert repr(override_flag) == "override_flag"


def test_the_fixture_undoes_the_last_first(override_flag):
    override_flag("style", "plain")
    override_flag("style", "compact", attachment=[1])
    override_flag("other", True, namespace="shop")
    assert flag_variant("style").attachment == [1]
    assert flag_enabled("other", namespace="shop")


def test_fails(override_flag):
    override_flag("new", True)
    raise LookupError("on purpose")
"""

SETTINGS = """
SECRET_KEY = "x"
INSTALLED_APPS = ["resident", "django.contrib.contenttypes", "django.contrib.auth"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
MIDDLEWARE = ["resident.middleware.ResetStateMiddleware"]
ROOT_URLCONF = "urls"
USE_TZ = True
STATIC_URL = "/static/"
"""

URLS = """
from django.http import HttpResponse
from django.urls import path
from resident.flags import flag_enabled


def page(request):
    return HttpResponse(b"new" if flag_enabled("new", request) else b"old")


urlpatterns = [path("", page)]
"""


@pytest.mark.slow
def test_all_forms_in_a_run_and_nothing_is_left(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PYTEST_ADDOPTS", "DJANGO_SETTINGS_MODULE"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(test_forms=FORMS, settings=SETTINGS, urls=URLS)
    pytester.makeini("[pytest]\nDJANGO_SETTINGS_MODULE = settings\npythonpath = .\n")
    ran = pytester.runpytest_subprocess("-s", "-W", "error")
    ran.assert_outcomes(passed=25, failed=1, errors=1)
    ran.stdout.fnmatch_lines_random(
        ["*left: {}*", "FAILED *::test_fails*", "ERROR *FailsToBeSetUp*"]
    )


def test_djangos_own_runner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "settings")
    pytester.makepyfile(
        settings=SETTINGS,
        urls=URLS,
        test_case="""
        from django.test import SimpleTestCase
        from resident.flags import flag_enabled
        from resident.testing import override_flag

        @override_flag("new", True)
        class CaseTest(SimpleTestCase):
            def test_page(self):
                assert self.client.get("/").content == b"new"

            async def test_async_page(self):
                assert (await self.async_client.get("/")).content == b"new"

        class OtherTest(SimpleTestCase):
            def test_page(self):
                assert self.client.get("/").content == b"old"
        """,
    )
    ran = pytester.run(sys.executable, "-m", "django", "test")
    assert ran.ret == 0, ran.stderr.str()
    ran.stderr.fnmatch_lines(["Ran 3 tests*", "OK"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("new", 1), "The flag 'new' can't answer 1."),
        (("new", ""), "The flag 'new' can't answer ''."),
        (("new", 0.5), "give True or False, the key of a variant, or None"),
        (("", True), "'' is not the key of a flag"),
        ((None, True), "None is not the key of a flag"),
        ((NEW, "compact"), "The flag 'new' can't answer 'compact'.\nTo do: give one of its answ"),
        ((NEW, None), "give one of its answers: True, False"),
        ((STYLE, True), "give one of its answers: 'plain', 'compact', None"),
        ((STYLE, "loud"), "The flag 'style' can't answer 'loud'"),
    ],
)
def test_what_it_can_not_answer(arguments: tuple[Any, Any], said: str) -> None:
    with pytest.raises(FlagsError) as raised:
        override_flag(*arguments)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("value", "attachment", "said"),
    [
        (True, {}, "can't answer True with an attachment"),
        (None, [1], "can't answer None with an attachment"),
        ("loud", {1, 2}, "The attachment of 'loud', for the flag 'style', is not JSON"),
        ("loud", float("nan"), "is not JSON"),
    ],
)
def test_what_can_not_be_attached(value: bool | str | None, attachment: object, said: str) -> None:
    with pytest.raises(FlagsError) as raised:
        override_flag("style", value, attachment=attachment)
    assert said in str(raised.value)


def test_a_variant_keeps_its_attachment() -> None:
    with override_flag("style", Variant("loud", '{"mark": "!"}')):
        variant = flag_variant("style")
    assert variant is not None
    assert variant.attachment == {"mark": "!"}


def test_a_declared_flag_is_overridden_in_its_namespace() -> None:
    with override_flag(NEW, True), override_flag(STYLE, "compact"):
        assert NEW()
        assert STYLE() == "compact"
        assert not flag_enabled("new")
    with override_flag(copy.copy(NEW), True, namespace="other"):
        assert flag_enabled("new", namespace="other")


def test_what_it_can_not_decorate() -> None:
    @pytest.fixture
    def fixture() -> None:
        pass

    for target in (fixture, "test"):
        with pytest.raises(FlagsError, match=r"below @pytest\.fixture"):
            override_flag("new", True)(target)  # type: ignore[type-var]


def test_it_represents_itself() -> None:
    assert repr(override_flag("style", "loud")) == "override_flag('style', 'loud')"


def test_what_the_module_does_not_have() -> None:
    with pytest.raises(AttributeError, match="no attribute 'override_flags'"):
        testing.override_flags  # noqa: B018 - reading it is the point
