"""Requests that are made in process, as a worker would get them, and leave everything as it was."""

import gc
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, Permission, User
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.db.models.signals import pre_save
from django.test import Client, RequestFactory, override_settings

from resident.exceptions import LeaksError
from resident.isolation.context import IsolatedApplication
from resident.isolation.resetters import Resetters
from resident.leaks.rehearsal import Rehearsal, RehearsedHandler
from resident.leaks.visit import Visit
from tests.evidence import Evidence
from tests.granian import Granian
from tests.leaks import rehearsed

Rehearse = Callable[..., Rehearsal]


@pytest.fixture(autouse=True)
def _site() -> Iterator[None]:
    with override_settings(ROOT_URLCONF="tests.leaks.rehearsed"):
        yield
    rehearsed.told.clear()
    rehearsed.steps.clear()


@pytest.fixture(scope="module")
def resetters() -> Resetters:
    """As a worker has them: one for all of its requests."""
    return Resetters.of_project()


@pytest.fixture(params=["isolated", "bare"])
def rehearse(request: pytest.FixtureRequest, resetters: Resetters, db: None) -> Rehearse:
    """Rehearse on the application of a worker, and on Django's own."""

    def make(path: str, **how: Any) -> Rehearsal:
        handler = RehearsedHandler()
        is_isolated = request.param == "isolated"
        application = IsolatedApplication(handler, resetters) if is_isolated else handler
        return Rehearsal(path, application=application, **how)

    return make


@pytest.fixture
def ada(db: None) -> User:
    user = User.objects.create_user("ada", "ada@example.com", "secret", is_staff=True)
    user.groups.add(Group.objects.create(name="authors"))
    user.user_permissions.add(Permission.objects.get(codename="add_group"))
    return user


def visits(rehearsal: Rehearsal, number: int = 2) -> list[Visit]:
    with rehearsal:
        return [rehearsal.request() for _ in range(number)]


@pytest.mark.django_db
def test_the_environ_is_that_of_granian(evidence: Evidence) -> None:
    variables = {"DJANGO_SETTINGS_MODULE": "tests.leaks.rehearsed"}
    application = "tests.leaks.rehearsed:application"
    with Granian(evidence, variables, application=application) as granian:
        served = granian.serving().get("/meta?q=1").json()
    visits(Rehearsal("/meta?q=1", application=RehearsedHandler()), 1)
    ours = {name: as_json(value) for name, value in rehearsed.told[0].items()}
    same = {name for name in served if name.startswith("wsgi.")} - {"wsgi.input", "wsgi.errors"}
    same |= {"GATEWAY_INTERFACE", "SERVER_SOFTWARE", "SERVER_PROTOCOL", "SERVER_NAME", "PATH"}
    same |= {"PATH_INFO", "QUERY_STRING", "SCRIPT_NAME", "REQUEST_METHOD"}
    assert {name: ours[name] for name in same} == {name: served[name] for name in same}
    assert {"SERVER_PORT", "REMOTE_ADDR", "HTTP_HOST", "HTTP_ACCEPT", "wsgi.input"} <= ours.keys()


def as_json(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def test_credentials_are_withdrawn_as_in_a_worker(
    rehearse: Rehearse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "of the shop")
    monkeypatch.setenv("SHOP_NAME", "the shop")
    with override_settings(RESIDENT_CREDENTIALS=["SHOP_TOKEN"]):
        visits(rehearse("/meta"), 1)
    assert rehearsed.told[0]["SHOP_NAME"] == "the shop"
    assert "SHOP_TOKEN" not in rehearsed.told[0]


def test_each_request_has_tokens_of_its_own(rehearse: Rehearse) -> None:
    first, second = visits(rehearse("/echo"))
    assert not set(first.strings) & set(second.strings)
    for visit, seen in zip((first, second), rehearsed.told, strict=True):
        word, address = visit.strings
        assert seen["address"] == address
        assert address.startswith("127.")
        for header in ("User-Agent", "Referer", "X-Request-Id", "X-Correlation-Id"):
            assert word in seen["headers"][header]
        assert seen["cookies"] == {"visit": word}


def test_tokens_stand_where_the_caller_writes_them(rehearse: Rehearse) -> None:
    [visit] = visits(
        rehearse(
            "/echo/{token}?q=caf%C3%A9&t={token}#{token}",
            method="POST",
            data={"text": "é&{token}", "many": ["1", "2"]},
            headers={"X-Tenant": "tenant {token} é", "Cookie": "own={token}"},
        ),
        1,
    )
    word, [seen] = visit.strings[0], rehearsed.told
    assert seen["word"] == word
    assert seen["path"] == f"/echo/{word}?q=caf%C3%A9&t={word}"
    assert seen["form"] == {"text": f"é&{word}", "many": "2"}
    assert seen["headers"]["X-Tenant"].encode("latin-1").decode() == f"tenant {word} é"
    assert seen["cookies"] == {"own": word, "visit": word}


@pytest.mark.parametrize(
    ("how", "path", "body"),
    [
        ({"data": {"q": "é"}}, "/echo?a=1&q=%C3%A9", ""),
        ({"data": "q=2"}, "/echo?a=1&q=2", ""),
        ({"data": b"{}", "method": "PUT"}, "/echo?a=1", "{}"),
        (
            {
                "data": '{"é": 1}',
                "method": "POST",
                "headers": {"Content-Type": "application/json"},
            },
            "/echo?a=1",
            '{"é": 1}',
        ),
    ],
)
def test_data_are_sent_as_the_method_has_it(
    rehearse: Rehearse, how: dict[str, Any], path: str, body: str
) -> None:
    visits(rehearse("/echo?a=1", **how), 1)
    assert (rehearsed.told[0]["path"], rehearsed.told[0]["body"]) == (path, body)
    assert not rehearsed.told[0]["form"]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"path": "meta"}, r"'meta' does not begin with '/'"),
        ({"path": "http://shop.example/"}, r"'http://shop.example/' does not begin with '/'"),
        ({"headers": {"No Name": "x"}}, r"'No Name' is no name of a header"),
        ({"headers": {"X-Key": "se\r\ncret"}}, r"the header 'X-Key' can't be sent"),
        ({"headers": {"X-Key": "se\udcffcret"}}, r"the header 'X-Key' can't be sent"),
    ],
)
def test_what_can_not_be_sent_is_named(
    rehearse: Rehearse, how: dict[str, Any], message: str
) -> None:
    with pytest.raises(LeaksError, match=message) as caught:
        visits(rehearse(**{"path": "/meta"} | how))
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("configured", "host", "scheme"),
    [
        ({"ALLOWED_HOSTS": ["*", ".shop.example"]}, "shop.example", "http"),
        ({"ALLOWED_HOSTS": ["*"]}, "localhost", "http"),
        ({"ALLOWED_HOSTS": ["a.b"], "SECURE_SSL_REDIRECT": True}, "a.b", "https"),
    ],
)
def test_it_is_a_host_that_is_allowed(
    rehearse: Rehearse, configured: dict[str, Any], host: str, scheme: str
) -> None:
    with override_settings(**configured):
        rehearsal = rehearse("/meta")
        visits(rehearsal, 1)
    assert rehearsal.status == 200
    assert rehearsed.told[0]["HTTP_HOST"] == host
    assert rehearsed.told[0]["wsgi.url_scheme"] == scheme


def test_a_visit_knows_its_request_until_that_is_gone(rehearse: Rehearse) -> None:
    gc.collect()
    with rehearse("/meta") as rehearsal:
        visit = rehearsal.request()
        gc.collect()
        assert visit.request is not None
        assert visit.request() is None, gc.get_referrers(visit.request())


def test_the_body_is_read_and_closed(rehearse: Rehearse) -> None:
    visits(rehearse("/stream"), 1)
    assert rehearsed.steps == ["first", "last", "closed"]


@pytest.mark.parametrize("path", ["/leave", "/fail"])
def test_a_view_that_ends_badly_is_answered_with_500(
    rehearse: Rehearse, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    # pytest keeps what is logged, with the traceback, which leads to the request.
    monkeypatch.setattr(logging.getLogger("django.request"), "disabled", True)
    rehearsal = rehearse(path)
    [visit] = visits(rehearsal, 1)
    assert rehearsal.status == 500
    gc.collect()
    assert visit.request is not None
    assert visit.request() is None


def test_an_application_that_raises_is_answered_with_500() -> None:
    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [])
        raise ValueError("on purpose")

    rehearsal = Rehearsal("/", application=application)
    [visit] = visits(rehearsal, 1)
    assert rehearsal.status == 500
    assert visit.request is None


def test_a_plain_list_is_an_answer_too() -> None:
    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("204 No Content", [])
        return []

    rehearsal = Rehearsal("/", application=application)
    visits(rehearsal, 1)
    assert (rehearsal.status, rehearsal.location) == (204, "")


def test_it_tells_where_an_answer_leads(rehearse: Rehearse) -> None:
    rehearsal = rehearse("/elsewhere")
    visits(rehearsal, 1)
    assert (rehearsal.status, rehearsal.location) == (302, "/meta")


def test_no_csrf_token_is_asked_for(rehearse: Rehearse) -> None:
    rehearsal = rehearse("/guarded", method="POST")
    visits(rehearsal, 1)
    assert rehearsal.status == 200
    assert Client(enforce_csrf_checks=True).post("/guarded").status_code == 403


@pytest.mark.filterwarnings("ignore:.*MAILERS:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*MAILERS:PendingDeprecationWarning")
def test_no_mail_leaves(rehearse: Rehearse) -> None:
    backend = settings.EMAIL_BACKEND
    rehearsal = rehearse("/mail")
    visits(rehearsal)
    assert rehearsal.status == 200
    assert not mail.outbox
    assert backend == settings.EMAIL_BACKEND
    mail.send_mail("subject", "text", None, ["to@example.com"])
    assert len(mail.outbox) == 1


def test_no_mailer_of_the_settings_is_used(rehearse: Rehearse) -> None:
    mailers = {"default": {"BACKEND": "shop.Mailer"}, "bulk": {"BACKEND": "shop.Mailer"}}
    with override_settings(MAILERS=mailers):
        visits(rehearse("/mailers"), 1)
        assert mailers == settings.MAILERS  # type: ignore[misc] # of Django 6.1
    dummy = {"BACKEND": "django.core.mail.backends.dummy.EmailBackend"}
    assert rehearsed.told == [{"default": dummy, "bulk": dummy}]


@pytest.mark.django_db
def test_the_handler_serves_other_requests_as_djangos_does() -> None:
    statuses: list[str] = []
    for method in ("get", "post"):
        environ = getattr(RequestFactory(), method)("/guarded").environ
        handler: Any = RehearsedHandler()
        handler(environ, lambda status, headers: statuses.append(status)).close()
    assert statuses == ["200 OK", "403 Forbidden"]


# Users


def test_each_request_is_made_by_a_new_user_like_the_one_named(
    rehearse: Rehearse, ada: User
) -> None:
    rehearsal = rehearse("/who", user="ada")
    first, second = visits(rehearsal)
    assert rehearsal.notes == []
    for visit, seen in zip((first, second), rehearsed.told, strict=True):
        assert seen["name"] == visit.strings[0]
        assert (seen["pk"],) == visit.numbers
        assert seen["session"] in visit.strings
        assert (seen["email"], seen["is_staff"]) == ("ada@example.com", True)
        assert (seen["groups"], seen["may"]) == (["authors"], True)
    assert first.numbers != second.numbers
    assert list(User.objects.all()) == [ada]


def test_a_user_of_whom_there_can_be_no_other_makes_the_requests(
    rehearse: Rehearse, ada: User
) -> None:
    def refuse(**_: object) -> None:
        raise ValueError("there is only one ada")

    pre_save.connect(refuse, User)
    try:
        rehearsal = rehearse("/who", user="ada")
        first, _ = visits(rehearsal)
    finally:
        pre_save.disconnect(refuse, User)
    assert rehearsal.notes == [
        "No user like 'ada' could be made for each request (ValueError), so they make all of them."
    ]
    assert [seen["name"] for seen in rehearsed.told] == ["ada", "ada"]
    assert first.numbers == ()
    assert rehearsed.told[0]["session"] in first.strings


def test_an_unknown_user_is_named(rehearse: Rehearse) -> None:
    with pytest.raises(LeaksError, match="There is no user whose username is 'eve'"):
        visits(rehearse("/who", user="eve"))


@pytest.mark.parametrize(
    "missing",
    [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
)
def test_a_project_to_which_nobody_can_log_in(rehearse: Rehearse, ada: User, missing: str) -> None:
    middleware = [path for path in settings.MIDDLEWARE if "essages" not in path]
    middleware = [path for path in middleware if "django.contrib" not in path or path != missing]
    if "sessions" in missing:
        middleware = [path for path in middleware if "contrib.auth" not in path]
    with (
        override_settings(MIDDLEWARE=["tests.leaks.test_rehearsal.closure_based", *middleware]),
        pytest.raises(LeaksError, match=f"MIDDLEWARE does not list '{missing}'"),
    ):
        visits(rehearse("/meta", user="ada"))


def closure_based(get_response: Callable[..., Any]) -> Callable[..., Any]:
    return get_response


def test_backends_of_which_none_knows_a_session(rehearse: Rehearse, ada: User) -> None:
    with (
        override_settings(AUTHENTICATION_BACKENDS=["tests.leaks.test_rehearsal.Permissions"]),
        pytest.raises(LeaksError, match="AUTHENTICATION_BACKENDS names no backend"),
    ):
        visits(rehearse("/meta", user="ada"))


class Permissions:
    """A backend that nobody can log in with."""


@pytest.mark.parametrize("path", ["/who", "/session"])
def test_no_session_stays_in_a_cache(rehearse: Rehearse, ada: User, path: str) -> None:
    cache.clear()
    with override_settings(SESSION_ENGINE="django.contrib.sessions.backends.cache"):
        user = "ada" if path == "/who" else None
        rehearsal = rehearse(path, user=user)
        visits(rehearsal)
    assert rehearsal.status == 200
    assert not cache._cache  # type: ignore[attr-defined] # locmem's


# Databases


def test_what_is_written_is_counted_and_undone(rehearse: Rehearse) -> None:
    rehearsal = rehearse("/write")
    visits(rehearsal, 3)
    assert rehearsal.status == 200
    assert rehearsal.writes == {"default": 3}
    assert rehearsed.steps == []
    assert not Group.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_it_is_undone_where_no_test_does_it(rehearse: Rehearse) -> None:
    Group.objects.create(name="readers")
    rehearsal = rehearse("/write")
    visits(rehearsal)
    assert rehearsal.status == 200
    assert not connection.in_atomic_block
    assert [group.name for group in Group.objects.all()] == ["readers"]


def test_a_transaction_that_is_left_open_is_undone(rehearse: Rehearse) -> None:
    blocks = len(connection.atomic_blocks)
    rehearsal = rehearse("/leave-open")
    visits(rehearsal)
    assert rehearsal.status == 200
    assert len(connection.atomic_blocks) == blocks
    assert not Group.objects.exists()


@pytest.mark.parametrize("sql", ["COMMIT", "-- now\n/* at */ rollback", "End;"])
def test_sql_that_would_end_the_transaction_is_refused(rehearse: Rehearse, sql: str) -> None:
    rehearsal = rehearse("/break", data={"sql": sql})
    visits(rehearsal, 1)
    assert rehearsal.status == 500


@pytest.mark.parametrize("sql", ["SAVEPOINT s; ", "SELECT 1 -- COMMIT", "SELECT 'COMMIT'"])
def test_other_sql_is_not(rehearse: Rehearse, sql: str) -> None:
    rehearsal = rehearse("/break", data={"sql": sql})
    visits(rehearsal, 1)
    assert rehearsal.status == 200
    assert not rehearsal.writes


@pytest.mark.parametrize("sql", ["WITH a AS (SELECT 1) DELETE FROM auth_group", "(replace) into"])
def test_what_writes_is_known_by_its_text(rehearse: Rehearse, sql: str) -> None:
    rehearsal = rehearse("/break", data={"sql": sql})
    visits(rehearsal, 1)
    assert rehearsal.writes == {"default": 1}


@pytest.mark.django_db(transaction=True)
def test_a_request_that_closes_the_connection_stays_in_its_transaction(
    rehearse: Rehearse,
) -> None:
    wrappers = connection.execute_wrappers.copy()
    rehearsal = rehearse("/close")
    try:
        visits(rehearsal)
        left = [it for it in connection.execute_wrappers if it not in wrappers]
    finally:
        connection.execute_wrappers[:] = wrappers
    assert rehearsal.status == 200
    assert not Group.objects.exists()
    assert "close" not in vars(connection)
    # Bare, what the request leaves behind stays, and what was there for it is gone.
    assert {getattr(it, "__name__", "") for it in left} <= {"_pass_on"}


def test_no_query_is_remembered(rehearse: Rehearse) -> None:
    with override_settings(DEBUG=True):
        visits(rehearse("/write"))
        assert not connection.queries_log


def test_a_database_without_transactions_is_refused(
    rehearse: Rehearse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection.features, "uses_savepoints", False)
    with pytest.raises(LeaksError, match=r"DATABASES\['default'\] has no transactions"):
        visits(rehearse("/meta"))


def test_a_test_that_may_not_use_the_database() -> None:
    """pytest-django lets no test use it that has not asked for it."""
    rehearsal = Rehearsal("/meta", application=RehearsedHandler())
    visits(rehearsal)
    assert (rehearsal.status, rehearsal.notes) == (200, [])
    rehearsal = Rehearsal("/write", application=RehearsedHandler())
    visits(rehearsal)
    assert rehearsal.status == 500
