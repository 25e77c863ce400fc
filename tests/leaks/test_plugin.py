"""The pytest plugin, in runs of pytest of its own, on a project of its own."""

from inspect import getsource

import pytest

from tests.leaks import accounts

pytest_plugins = ["pytester"]

SETTINGS = f"""{getsource(accounts)}
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}}
ROOT_URLCONF = "shop.urls"
"""

VIEWS = """
import logging
from django.contrib.auth.models import Group
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse

SEEN = {}


def clean(request):
    return HttpResponse("clean")


def leaky(request):
    SEEN[request.META["REMOTE_ADDR"]] = request.path
    logging.getLogger(__name__).warning("the leaky page was asked for")
    return HttpResponse("leaky")


@login_required
def account(request):
    SEEN[request.META["REMOTE_ADDR"]] = request.user.pk
    return HttpResponse(request.user.get_username())


def join(request):
    Group.objects.create(name=request.POST["name"])
    SEEN[request.META["REMOTE_ADDR"]] = True
    return HttpResponse("joined")


def fails(request):
    raise ValueError("on purpose")
"""

URLS = """
from django.urls import path
from shop import views

urlpatterns = [
    path(name, getattr(views, name)) for name in ("clean", "leaky", "account", "join", "fails")
]
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project whose tests are run with pytest-django."""
    for name in ("PYTEST_ADDOPTS", "DJANGO_SETTINGS_MODULE"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(**{
        "shop/__init__": "", "shop/settings": SETTINGS, "shop/views": VIEWS, "shop/urls": URLS,
    })  # fmt: skip
    pytester.makeini("[pytest]\nDJANGO_SETTINGS_MODULE = shop.settings\npythonpath = .\n")
    return pytester


def test_the_fixture_prints_the_report(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        def test_clean(find_leaks):
            assert not find_leaks("/clean")

        def test_leaky(find_leaks):
            assert not find_leaks("/leaky")
        """
    )
    run = project.runpytest_subprocess()
    run.assert_outcomes(passed=1, failed=1)
    run.stdout.fnmatch_lines([
        "*- Captured leaks call -*",
        "/leaky",
        "  module global  shop.views.SEEN[[]'…'[]]",
        "      shop/views.py:6",
        "      put in at shop/views.py:14",
        "      1, 2, 3, 4, 5 after each request: *",
    ])  # fmt: skip


@pytest.mark.slow
def test_the_fixture_makes_requests_of_a_user(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest
        from django.contrib.auth.models import Group, User

        @pytest.mark.django_db
        def test_user(find_leaks):
            User.objects.create_user("ada")
            [leak] = find_leaks("/account", user="ada", requests=3)
            assert (leak.name, leak.growth) == ("shop.views.SEEN['…']", (1, 2, 3))
            assert User.objects.count() == 1

        @pytest.mark.django_db
        def test_data(find_leaks):
            [leak] = find_leaks("/join", method="POST", data={"name": "group {token}"})
            assert leak.path == "/join"
            assert not Group.objects.exists()
        """
    )
    project.runpytest_subprocess().assert_outcomes(passed=2)


@pytest.mark.slow
def test_the_fixture_says_what_it_could_not_look_at(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest
        from resident.exceptions import LeaksError

        @pytest.mark.parametrize(("path", "status"), [("/missing", 404), ("/fails", 500)])
        def test_path(find_leaks, path, status):
            with pytest.raises(LeaksError, match=f"'{path}' can't be .* it answers {status}"):
                find_leaks(path)

        @pytest.mark.django_db
        def test_user(find_leaks):
            with pytest.raises(LeaksError, match="no user whose username is 'nobody'"):
                find_leaks("/clean", user="nobody")
        """
    )
    project.runpytest_subprocess().assert_outcomes(passed=3)


TESTS = """
import django.test
import pytest
from django.contrib.auth.models import Group, User
from django.http import HttpResponse
from django.urls import path

KEPT = []


def of_test(request):
    KEPT.append(request.META["REMOTE_ADDR"])
    return HttpResponse("of a test")


urlpatterns = [path("of_test", of_test)]


def test_clean(client):
    assert client.get("/clean").content == b"clean"
    assert client.get("/clean").content == b"clean"


def test_leaky(client):
    assert client.get("/leaky").content == b"leaky"


def test_missing(client):
    assert client.get("/missing").status_code == 404


def test_that_fails(client):
    client.get("/leaky")
    raise AssertionError("on purpose")


@pytest.mark.urls(__name__)
def test_of_its_own(client):
    assert client.get("/of_test").content == b"of a test"


@pytest.mark.django_db(transaction=True)
def test_logged_in(client):
    client.force_login(User.objects.create_user("ada"))
    assert client.get("/account").content == b"ada"


@pytest.mark.django_db
def test_unique(client):
    assert client.post("/join", {"name": "editors"}).content == b"joined"
    assert Group.objects.count() == 1


class TestCase(django.test.TestCase):
    def test_logged_in(self):
        self.client.force_login(User.objects.create_user("eve"))
        assert self.client.get("/account").content == b"eve"

    def test_clean(self):
        assert self.client.get("/clean").content == b"clean"
"""


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "xdist"])
def test_every_request_of_djangos_client_is_looked_at(
    project: pytest.Pytester, options: list[str]
) -> None:
    project.makepyfile(test_shop=TESTS)
    run = project.runpytest_subprocess("--find-leaks", *options)
    run.assert_outcomes(passed=5, failed=4)
    run.stdout.fnmatch_lines_random([
        "*_ test_leaky _*",
        "What this test asks for leaks.",
        "  module global  shop.views.SEEN[[]'…'[]]",
        "*_ TestCase.test_logged_in _*",
        "  module global  shop.views.SEEN[[]*",
        "Requests of Django's client looked at: 7.",
        "Not looked at, as their repetition was answered otherwise: 1.",
        "FAILED test_shop.py::test_that_fails - AssertionError: on purpose",
    ])  # fmt: skip
    run.stdout.no_fnmatch_line("*KEPT*")
    # What the repetitions log is not collected.
    assert run.stdout.str().count("the leaky page was asked for") == 2


@pytest.mark.slow
def test_without_the_option_no_request_is_repeated(project: pytest.Pytester) -> None:
    project.makepyfile(test_shop=TESTS)
    run = project.runpytest_subprocess()
    run.assert_outcomes(passed=8, failed=1)
    run.stdout.no_fnmatch_line("*looked at*")


def test_it_withdraws_where_no_project_is_set_up(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        def test_other():
            pass

        def test_fixture(find_leaks):
            with pytest.raises(Exception, match="none is set up(.|\\n)*install pytest-django"):
                find_leaks("/")
        """
    )
    run = project.runpytest_subprocess("-p", "no:django", "-o", "addopts=", "--find-leaks")
    run.assert_outcomes(passed=2)
    run.stdout.fnmatch_lines(["Requests of Django's client looked at: 0."])


def test_it_costs_nothing_where_it_is_not_asked_for(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # others may import Django
    project.makepyfile(
        """
        import sys

        def test_modules(request):
            resident = {name for name in sys.modules if name.startswith("resident")}
            assert resident == {"resident", "resident.pytest_plugin"}
            assert "django" not in sys.modules
        """
    )
    project.runpytest_subprocess("-p", "resident.pytest_plugin").assert_outcomes(
        passed=1, warnings=1
    )
