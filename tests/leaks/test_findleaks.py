"""`manage.py findleaks`, as it is run on a project, and what it says about its arguments."""

import json
import os
import pty
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from tests.granian import clean_environment
from tests.leaks.commands import django_admin

VIEWS = """
import os
import sys

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import Group
from django.db import connections
from django.http import HttpResponse

PRICES = {}


def clean(request):
    return HttpResponse("clean")


def leaky(request):
    print("a view prints")
    PRICES[request.headers["User-Agent"]] = 1
    return HttpResponse("leaky")


def tenant(request):
    os.environ["TENANT"] = request.headers["X-Tenant"]
    with connections["persistent"].cursor() as cursor:
        cursor.execute("PRAGMA cache_size = 100")
    return HttpResponse(os.environ["TENANT"])


@login_required
def write(request):
    Group.objects.create(name=request.POST["name"])
    return HttpResponse("written")


def closes(request):
    Group.objects.create(name="before")
    connections["default"].close()
    Group.objects.create(name="after")
    return HttpResponse(str(Group.objects.count()))


def fails(request):
    raise ValueError("on purpose")


def away(request):
    return HttpResponse(str(connections["away"].cursor()))
"""

URLS = """
from django.contrib import admin
from django.urls import path
from shop import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("clean", views.clean),
    path("leaky", views.leaky),
    path("tenant", views.tenant),
    path("write", views.write),
    path("closes", views.closes),
    path("fails", views.fails),
    path("away", views.away),
]
"""

ADDED = """
INSTALLED_APPS += ["resident"]
MIDDLEWARE.insert(0, "resident.middleware.ResetStateMiddleware")
DATABASES["away"] = {
    "ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "missing" / "db.sqlite3"
}
DATABASES["none"] = {"ENGINE": "django.db.backends.dummy"}
DATABASES["driverless"] = {"ENGINE": "shop.missing"}
DATABASES["persistent"] = DATABASES["default"] | {"CONN_MAX_AGE": None}
"""

USER = """
from django.contrib.auth.models import User
User.objects.create_superuser("ada")
"""

AWAY = (
    "The database 'away' can't be used (OperationalError); a page that asks it something fails.\n"
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new project of Django's, to which resident was added, and a user."""
    folder = tmp_path_factory.mktemp("shop")
    assert manage(folder, "startproject", "shop", str(folder)).returncode == 0
    (folder / "shop" / "views.py").write_text(VIEWS)
    (folder / "shop" / "urls.py").write_text(URLS)
    settings = folder / "shop" / "settings.py"
    settings.write_text(settings.read_text() + ADDED)
    for command in (("migrate",), ("shell", "-c", USER)):
        assert manage(folder, *command).returncode == 0
    return folder


def manage(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return django_admin(folder, "shop.settings", *arguments)


def findleaks(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return manage(folder, "findleaks", *arguments)


def test_all_pages_of_a_new_project(shop: Path) -> None:
    ran = findleaks(shop, "--user", "ada", "--exclude", "^/(?!admin)")
    assert ran.stdout == "Nothing leaks; 10 pages looked at.\n"
    assert ran.stderr == f"{AWAY}/admin/login/ answers 302, and leads to /admin/.\n"
    assert ran.returncode == 0


def test_a_leak_is_reported(shop: Path) -> None:
    ran = findleaks(shop, "/leaky", "/clean", "/leaky")
    assert ran.returncode == 1
    assert ran.stderr == AWAY
    assert re.sub(r"dict of \d+", "dict of many", ran.stdout) == (
        "/leaky\n"
        "\n"
        "  module global  shop.views.PRICES['…']\n"
        "      shop/views.py:10\n"
        "      put in at shop/views.py:19\n"
        "      1, 2, 3, 4, 5 after each request: dict of many int\n"
        "      Give it a bound or keep it per request, or have it as before after each\n"
        '      request: RESIDENT_FLUSH = ["shop.views.PRICES"].\n'
        "\n"
        "1 leak; 2 pages looked at.\n"
    )


def test_json_and_baseline(shop: Path, tmp_path: Path) -> None:
    ran = findleaks(shop, "/leaky", "--format", "json")
    [leak] = json.loads(ran.stdout)
    assert (leak["path"], leak["kind"], leak["name"], leak["line"], leak["growth"]) == (
        "/leaky", "module global", "shop.views.PRICES['…']", 10, [1, 2, 3, 4, 5],
    )  # fmt: skip
    assert leak["file"] == str(shop / "shop" / "views.py")
    assert ran.returncode == 1

    baseline = tmp_path / "leaks.json"
    gone = {"kind": "thread", "name": "shop.jobs.poll", "path": "/clean"}
    baseline.write_text(json.dumps([leak, gone, {"kind": "thread", "name": "shop.jobs.send"}]))
    ran = findleaks(shop, "/leaky", "/clean", "--baseline", str(baseline))
    assert ran.stdout == "Nothing leaks; 2 pages looked at.\n"
    stale = "The baseline accepts what does not leak any more: thread shop.jobs"
    assert f"{stale}.poll, on /clean. Remove the entry.\n" in ran.stderr
    assert f"{stale}.send. Remove the entry.\n" in ran.stderr
    assert ran.returncode == 0


def test_what_could_not_be_looked_at_is_named(shop: Path) -> None:
    ran = findleaks(shop, "/missing", "/clean", "/fails", "/away")
    for path, status in (("/missing", 404), ("/fails", 500), ("/away", 500)):
        assert f"{path} could not be looked at: it answers {status}.\n" in ran.stderr
    assert ran.stdout == "Nothing leaks; 1 page looked at.\n"
    assert ran.returncode == 2
    ran = findleaks(shop, "/missing", "/leaky")
    assert ran.returncode == 1


def test_what_a_request_writes_is_rolled_back_and_told(shop: Path) -> None:
    data = ("--method", "post", "--data", "name={token}")
    ran = findleaks(shop, "/write", "--user", "ada", *data, "--requests", "3", "--warm-up", "1")
    told = rf"{re.escape(AWAY)}/write: \d statements that wrote were rolled back in 'default'\.\n"
    assert re.fullmatch(told, ran.stderr)
    assert ran.returncode == 0
    ran = findleaks(shop, "/closes")
    assert "/closes could not" not in ran.stderr
    assert ran.returncode == 0
    counted = manage(
        shop, "shell", "-c",
        "from django.contrib.auth.models import Group, User; from django.contrib.sessions.models "
        "import Session; print([it.objects.count() for it in (Group, User, Session)])",
    )  # fmt: skip
    assert counted.stdout.endswith("[0, 1, 0]\n")


def test_raw_tells_what_the_resetters_put_back(shop: Path) -> None:
    header = ("--header", "X-Tenant: {token}")
    ran = findleaks(shop, "/tenant", *header)
    assert (ran.stdout, ran.returncode) == ("Nothing leaks; 1 page looked at.\n", 0)
    ran = findleaks(shop, "/tenant", *header, "--raw", "--format", "json")
    found = {(leak["kind"], leak["name"]) for leak in json.loads(ran.stdout)}
    assert found == {
        ("environment", "os.environ['TENANT']"),
        ("database session", "connections['persistent']: PRAGMA cache_size"),
    }
    assert ran.returncode == 1


def test_a_wrong_argument_ends_with_2(shop: Path) -> None:
    ran = findleaks(shop, "/clean", "--user", "eve")
    assert ran.stderr == (
        "CommandError: There is no user whose username is 'eve'.\nTo do: name one that exists.\n"
    )
    assert (ran.stdout, ran.returncode) == ("", 2)


def test_a_terminal_shows_progress(shop: Path) -> None:
    terminal, end = pty.openpty()
    ran = subprocess.run(
        [sys.executable, "manage.py", "findleaks", "/clean", "/leaky", "--requests", "2"],
        cwd=shop,
        env=clean_environment(DJANGO_SETTINGS_MODULE="shop.settings", DJANGO_COLORS="dark"),
        stdout=end,
        stderr=end,
        check=False,
    )
    shown = os.read(terminal, 100_000).decode()
    os.close(end)
    os.close(terminal)
    assert re.search(r"2 pages .*100%", shown, re.DOTALL)
    # Bold, and its colour.
    assert re.search(r"\x1b\[[0-9;]+mshop.views.PRICES", shown)
    assert ran.returncode == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["/meta", "--requests", "1"], "--requests is 1.\nTo do: give 2 or more."),
        (["/meta", "--warm-up", "-1"], "--warm-up is -1.\nTo do: give 0 or more."),
        (["/meta", "--header", "secret"], "A --header has no colon."),
        (["--exclude", "("], r"--exclude '\(' is no regular expression: "),
        (["--exclude", "^/"], "No page of this project can be asked for without arguments"),
        (["/meta", "--baseline", "no.json"], "The baseline no.json can't be read"),
        (["meta"], "The path 'meta' does not begin with '/'"),
    ],
)
def test_what_is_wrong_with_an_argument(arguments: list[str], message: str) -> None:
    with (
        override_settings(ROOT_URLCONF="tests.leaks.rehearsed"),
        pytest.raises(CommandError, match=message) as caught,
    ):
        call_command("findleaks", *arguments)
    assert caught.value.returncode == 2
    assert "secret" not in str(caught.value)


@pytest.mark.django_db
def test_it_can_be_called(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = StringIO(), StringIO()
    with override_settings(ROOT_URLCONF="tests.leaks.rehearsed"):
        call_command("findleaks", "/elsewhere", "/write", "/guarded", stdout=out, stderr=err)
    assert out.getvalue() == "Nothing leaks; 3 pages looked at.\n"
    assert "/elsewhere answers 302, and leads to /meta.\n" in err.getvalue()
    assert re.search(r"/write: \d+ statements that wrote were rolled back", err.getvalue())
    assert capsys.readouterr().out == ""
