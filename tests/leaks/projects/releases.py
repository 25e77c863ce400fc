"""Releases that leak, what must be said of them, and the releases in which that was mended."""

from typing import NamedTuple


class Held(NamedTuple):
    """What must be reported: the file by its end."""

    kind: str
    name: str
    file: str


class Release(NamedTuple):
    """A site of `tests.leaks.projects.released`, and the requirement that makes it leak.

    Attributes:
        mended: the requirement with which it leaks no more; "" where there is none.
        needs: what both need, beside what is installed.
        options: of the command.
    """

    site: str
    leaking: str
    mended: str
    needs: tuple[str, ...]
    path: str
    options: tuple[str, ...]
    held: tuple[Held, ...]


RELEASES = (
    Release(
        "components",
        "django-components==0.148.0",  # django-components#1607
        "django-components==0.149.0",
        ("djc-core", "typing-extensions"),
        "/prices/",
        ("--third-party",),
        (
            Held(
                "instance attribute",  # of a WeakKeyDictionary
                "django_components.util.context.context_processors_data.data['…']",
                "django_components/util/context.py",
            ),
            Held(
                "instance attribute",
                "django_components.extension.extensions.extensions[…].render_id_to_cache_key['…']",
                "django_components/extensions/cache.py",
            ),
        ),
    ),
    Release(
        "unicorn",
        "django-unicorn==0.10.0",  # django-unicorn#75
        "",  # later releases keep the last hundred
        ("beautifulsoup4", "orjson", "shortuuid", "soupsieve", "wrapt<2"),
        "/",
        ("--third-party",),
        (
            Held(
                "module global",
                "django_unicorn.components.constructed_views_cache['…']",
                "django_unicorn/components.py",
            ),
        ),
    ),
    Release(
        "boost",
        "django-boost==2.2",  # django-boost#366
        "django-boost==3.3.1",
        ("ua-parser", "ua-parser-builtins", "user-agents"),
        "/visitor/",
        (),
        (
            Held(
                "class attribute",
                "tests.leaks.projects.released.boost.urls.Visitor.extra_context['agent']",
                "released/boost/urls.py",
            ),
        ),
    ),
    Release(
        "unfold",
        "django-unfold==0.91.0",
        "",
        (),
        "/admin/library/book/",
        ("--user", "admin", "--third-party"),
        (
            Held(
                "instance attribute",
                "tests.leaks.projects.released.unfold.urls.BookAdmin.request",
                "unfold/admin.py",
            ),
        ),
    ),
    Release(
        "inline_actions",
        "django-inline-actions==3.0.0",
        "",
        (),
        "/admin/library/book/",
        ("--user", "admin", "--third-party"),
        (
            Held(
                "instance attribute",
                "tests.leaks.projects.released.inline_actions.urls.BookAdmin._request",
                "inline_actions/admin.py",
            ),
        ),
    ),
    Release(
        "currentuser",
        "django-currentuser==0.5.3",  # django-currentuser#49
        "django-currentuser==0.10.0",
        (),
        "/me/",
        ("--user", "admin", "--third-party", "--raw"),
        (
            Held(
                "thread-local",
                "django_currentuser.middleware._thread_locals._current_user",
                "django_currentuser/middleware.py",
            ),
        ),
    ),
    Release(
        "sitetree",
        "django-sitetree==1.18.1",  # django-sitetree#182
        "",
        (),
        "/",
        ("--third-party", "--raw"),
        (
            Held(
                "thread-local",
                "sitetree.sitetreeapp._THREAD_LOCAL.sitetree.current_request",
                "sitetree/sitetreeapp.py",
            ),
        ),
    ),
)
