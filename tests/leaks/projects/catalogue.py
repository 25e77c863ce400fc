"""Which sites there are, and what is requested of them."""

from typing import NamedTuple
from urllib.parse import urlencode


class Visit(NamedTuple):
    """What one run of the command requests, and how."""

    paths: tuple[str, ...]
    options: tuple[str, ...] = ()
    status: int = 200


class Project(NamedTuple):
    """A site of `tests.leaks.projects.sites`, and the modules of the packages that it needs."""

    site: str
    modules: tuple[str, ...]
    visits: tuple[Visit, ...]


AS_ADMIN = ("--user", "admin")
POST = ("--method", "POST")


def data(**fields: str) -> tuple[str, ...]:
    """What a form sends."""
    return "--data", urlencode(fields, safe="{}")


def two_factor_login(username: str, password: str) -> tuple[str, ...]:
    """What the first page of two-factor's login sends."""
    answers = {"auth-username": username, "auth-password": password}
    return data(**{"login_view-current_step": "auth"}, **answers)


PROJECTS = (
    Project(
        "django_admin",
        (),
        (
            Visit(
                (
                    "/admin/",
                    "/admin/library/",
                    "/admin/library/book/",
                    "/admin/library/book/?q=heaven&author__id__exact=1&o=2",
                    "/admin/library/book/add/",
                    "/admin/library/book/1/change/",
                    "/admin/library/book/1/history/",
                    "/admin/library/book/1/delete/",
                    "/admin/auth/user/",
                    "/admin/auth/user/1/change/",
                    "/admin/password_change/",
                ),
                AS_ADMIN,
            ),
            Visit(("/admin/login/",)),
            Visit(("/admin/library/book/",), status=302),
            Visit(
                ("/admin/login/",),
                (*POST, *data(username="admin", password="password", next="/")),
                status=302,
            ),
            Visit(
                ("/admin/library/book/add/", "/admin/library/book/1/change/"),
                (*AS_ADMIN, *POST, *data(title="A {token}", author="1", published="")),
                status=302,
            ),
            Visit(
                ("/admin/library/book/1/delete/",),
                (*AS_ADMIN, *POST, *data(post="yes")),
                status=302,
            ),
            Visit(("/admin/logout/",), (*AS_ADMIN, *POST)),
        ),
    ),
    Project(
        "rest_framework",
        ("rest_framework", "drf_spectacular"),
        (
            Visit(
                ("/api/", "/api/books/", "/api/books/?page=2", "/api/books/1/", "/schema/pages/"),
                (*AS_ADMIN, "--header", "Accept: text/html"),
            ),
            Visit(("/api/books/", "/api/books/1/", "/schema/")),
            Visit(("/api/books/", "/api/books/1/"), (*AS_ADMIN, "--method", "OPTIONS")),
            Visit(
                ("/api/books/",),
                (*AS_ADMIN, *POST, *data(title="A {token}", author="1", published="")),
            ),
        ),
    ),
    Project(
        "wagtail_pages",
        ("wagtail",),
        (
            Visit(("/", "/cms/login/")),
            Visit(
                (
                    "/",
                    "/cms/",
                    "/cms/pages/3/",
                    "/cms/pages/3/edit/",
                    "/cms/images/",
                ),
                AS_ADMIN,
            ),
        ),
    ),
    Project(
        "allauth_accounts",
        ("allauth",),
        (
            Visit(("/accounts/login/", "/accounts/signup/", "/accounts/password/reset/")),
            Visit(
                ("/accounts/email/", "/accounts/password/change/", "/accounts/logout/"), AS_ADMIN
            ),
            Visit(
                ("/accounts/login/",),
                (*POST, *data(login="admin", password="password")),
                status=302,
            ),
            Visit(
                ("/accounts/signup/",),
                (
                    *POST,
                    *data(
                        username="u{token}",
                        email="{token}@example.com",
                        password1="long-{token}",
                        password2="long-{token}",
                    ),
                ),
                status=302,
            ),
        ),
    ),
    Project(
        "toolbar_off",
        ("debug_toolbar",),
        (Visit(("/books/", "/admin/", "/admin/library/book/"), AS_ADMIN),),
    ),
    Project(
        "history",
        ("simple_history",),
        (
            Visit(
                (
                    "/admin/history/loan/",
                    "/admin/history/loan/1/change/",
                    "/admin/history/loan/1/history/",
                    "/admin/history/loan/1/history/1/",
                ),
                AS_ADMIN,
            ),
            Visit(
                ("/admin/history/loan/1/change/",),
                (*AS_ADMIN, *POST, *data(title="A {token}")),
                status=302,
            ),
        ),
    ),
    Project(
        "filters",
        ("django_filters", "django_tables2", "crispy_forms", "crispy_bootstrap5"),
        (
            Visit(
                (
                    "/books/",
                    "/books/?title={token}",
                    "/books/?author=1&published=1974-05-01&sort=-title",
                )
            ),
        ),
    ),
    Project(
        "health",
        ("health_check",),
        (Visit(("/health/", "/health/?format=json", "/health/?format=openmetrics")),),
    ),
    Project(
        "import_export",
        ("import_export",),
        (
            Visit(
                (
                    "/admin/library/book/",
                    "/admin/library/book/import/",
                    "/admin/library/book/export/",
                ),
                AS_ADMIN,
            ),
        ),
    ),
    Project(
        "trees",
        ("treebeard", "mptt", "taggit"),
        (
            Visit(
                (
                    "/genres/",
                    "/admin/trees/shelf/",
                    "/admin/trees/shelf/1/change/",
                    "/admin/trees/genre/",
                    "/admin/trees/genre/2/change/",
                ),
                AS_ADMIN,
            ),
        ),
    ),
    Project(
        "guardian_permissions",
        ("guardian",),
        (
            Visit(
                ("/mine/", "/admin/library/book/", "/admin/library/book/1/permissions/"), AS_ADMIN
            ),
            Visit(("/mine/",)),
        ),
    ),
    Project(
        "oauth",
        ("oauth2_provider",),
        (
            Visit(
                (
                    "/o/applications/",
                    "/o/applications/register/",
                    "/o/authorize/?response_type=code&client_id=reader&code_challenge=c",
                    "/admin/oauth2_provider/application/",
                ),
                AS_ADMIN,
            ),
            Visit(
                ("/o/token/",),
                (
                    *POST,
                    *data(
                        grant_type="client_credentials", client_id="till", client_secret="secret"
                    ),
                ),
            ),
        ),
    ),
    Project(
        "switches",
        ("waffle", "constance"),
        (
            Visit(("/loans/",)),
            Visit(
                ("/loans/", "/admin/waffle/flag/", "/admin/constance/config/"),
                AS_ADMIN,
            ),
        ),
    ),
    Project(
        "logins",
        ("axes", "two_factor", "django_otp"),
        (
            Visit(("/account/login/",)),
            Visit(("/admin/login/",), status=302),
            Visit(
                ("/admin/axes/accesslog/", "/account/two_factor/", "/account/two_factor/setup/"),
                AS_ADMIN,
            ),
            Visit(("/account/login/",), (*POST, *two_factor_login("u{token}", "wrong"))),
            Visit(
                ("/account/login/",), (*POST, *two_factor_login("admin", "password")), status=302
            ),
        ),
    ),
    Project(
        "reversions",
        ("reversion", "auditlog", "hijack"),
        (
            Visit(
                (
                    "/admin/library/book/1/history/",
                    "/admin/library/book/recover/",
                    "/admin/auditlog/logentry/",
                    "/admin/auth/user/",
                ),
                AS_ADMIN,
            ),
            Visit(
                ("/admin/library/book/1/change/",),
                (*AS_ADMIN, *POST, *data(title="A {token}", author="1", published="")),
                status=302,
            ),
        ),
    ),
    Project(
        "observed",
        ("sentry_sdk", "structlog", "django_structlog"),
        (
            Visit(("/books/", "/admin/library/book/"), AS_ADMIN),
            Visit(("/books/",)),
        ),
    ),
)
