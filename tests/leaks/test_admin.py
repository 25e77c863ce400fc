"""The page of leaks in the admin: who may see it, what it lists, and that it escapes everything."""

from dataclasses import replace
from html.parser import HTMLParser
from os import getpid

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.test import Client, override_settings
from django.urls import NoReverseMatch, reverse

from resident import models
from resident.admin.leak import LEAK_DETECTION
from resident.leaks.journal import journal
from resident.leaks.leak import Leak
from tests.leaks.examples import CACHE, SEEN

PAGE = "/admin/resident/leak/"
RESET_STATE = "resident.middleware.ResetStateMiddleware"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_empty_journal")]


@pytest.fixture
def viewer(client: Client) -> Client:
    """A member of the staff who may view leaks, and nothing else."""
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_leak"))
    client.force_login(user)
    return client


class Text(HTMLParser):
    """What a reader sees of a page, and the tags that it is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        self.texts.append("" if tag == "wbr" else " ")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def __str__(self) -> str:
        return " ".join("".join(self.texts).split())


def seen(client: Client, query: str = "") -> str:
    response = client.get(PAGE + query)
    assert response.status_code == 200
    return str(Text(response.content.decode()))


def keep(*leaks: Leak, path: str = "/prices") -> None:
    for leak in leaks:
        journal.keep(leak, "GET", path)


# Who


def test_a_visitor_is_asked_to_log_in(client: Client) -> None:
    response = client.get(PAGE)
    assert (response.status_code, response["Location"]) == (302, f"/admin/login/?next={PAGE}")


@pytest.mark.parametrize("is_staff", [True, False])
def test_without_the_permission_there_is_no_page(client: Client, is_staff: bool) -> None:
    keep(CACHE)
    client.force_login(User.objects.create_user("somebody", is_staff=is_staff))
    response = client.get(PAGE)
    assert response.status_code == (403 if is_staff else 302)
    assert b"shop.pricing" not in response.content
    assert b"resident" not in client.get("/admin/").content


def test_with_the_permission_and_not_of_the_staff_there_is_none_either(viewer: Client) -> None:
    User.objects.update(is_staff=False)
    assert viewer.get(PAGE).status_code == 302


def test_with_the_permission_it_is_in_the_index_and_in_the_sidebar(viewer: Client) -> None:
    index = viewer.get("/admin/").content.decode()
    assert f'href="{PAGE}"' in index
    assert f'href="{PAGE}" class="viewlink"' in index
    app = viewer.get("/admin/resident/").content.decode()
    assert f'href="{PAGE}"' in app
    sidebar = viewer.get(PAGE).content.decode().partition('id="nav-sidebar"')[2]
    assert f'href="{PAGE}"' in sidebar


def test_a_superuser_sees_it_and_finds_nothing_to_change(admin_client: Client) -> None:
    keep(CACHE)
    assert CACHE.name in seen(admin_client)
    index = admin_client.get("/admin/").content.decode()
    assert f'href="{PAGE}" class="viewlink"' in index
    assert f"{PAGE}add/" not in index
    assert admin_client.get(f"{PAGE}add/").status_code == 404
    assert admin_client.post(PAGE).status_code == 405
    with pytest.raises(NoReverseMatch):
        reverse("admin:resident_leak_change", args=["anything"])


def test_viewing_is_the_only_permission() -> None:
    ours = Permission.objects.filter(content_type=ContentType.objects.get_for_model(models.Leak))
    assert [permission.codename for permission in ours] == ["view_leak"]


# What


def test_everything_that_is_known_is_listed(viewer: Client) -> None:
    keep(CACHE)
    keep(CACHE)
    told = seen(viewer)
    for part in (
        "shop.pricing.CACHE['…'] dict of 310 str",
        "module global /srv/shop/pricing.py:12 put in at /srv/shop/views.py:40",
        "1, 2, 3, 4, 5 Give it a bound",
        "after GET /prices 2 times since ",
        "1 leak",
    ):
        assert part in told


def test_what_is_unknown_is_said_so(viewer: Client) -> None:
    keep(replace(CACHE, file="", line=0, put_in=None, value="", growth=(1,)))
    told = seen(viewer)
    assert "module global unknown 1 Give it" in told
    assert "times since" not in told
    assert "put in at" not in told


def test_the_newest_comes_first(viewer: Client) -> None:
    keep(CACHE, SEEN)
    told = seen(viewer)
    assert told.index(SEEN.name) < told.index(CACHE.name)


def test_it_is_searched(viewer: Client) -> None:
    keep(CACHE, SEEN)
    told = seen(viewer, "?q=make")
    assert SEEN.name in told
    assert CACHE.name not in told
    assert "1 of 2 ( show all)" in told


def test_it_is_filtered_by_kind_within_a_search(viewer: Client) -> None:
    keep(CACHE, SEEN)
    page = viewer.get(f"{PAGE}?q=pricing").content.decode()
    assert 'href="?q=pricing&amp;kind=closure"' in page
    told = seen(viewer, "?q=pricing&kind=closure")
    assert SEEN.name in told
    assert CACHE.name not in told
    page = viewer.get(f"{PAGE}?q=pricing&kind=closure").content.decode()
    assert '<input type="hidden" name="kind" value="closure">' in page
    assert 'href="?q=pricing"' in page


def test_where_nothing_matches_all_are_one_click_away(viewer: Client) -> None:
    keep(CACHE, SEEN)
    page = viewer.get(f"{PAGE}?q=nothing+such&kind=closure").content.decode()
    assert "No leak matches." in page
    assert '0 of 2 (<a href="?">show all</a>)' in page


@pytest.mark.parametrize("query", ["?e=1", "?kind=", "?kind=a&kind=b", "?q=%00%ff", "?p=9&o=1"])
def test_no_query_breaks_it(viewer: Client, query: str) -> None:
    keep(CACHE)
    assert viewer.get(PAGE + query).status_code == 200


def test_it_says_which_process_is_listed(viewer: Client) -> None:
    journal.looked()
    assert f"one process, {getpid()}, which has looked at 1 request." in seen(viewer)


# When there is nothing


def test_without_debug_it_says_that_nobody_looks(viewer: Client) -> None:
    assert "DEBUG is off" in seen(viewer)


@override_settings(DEBUG=True)
def test_without_the_middleware_it_says_how_to_add_it(viewer: Client) -> None:
    told = seen(viewer)
    assert f'MIDDLEWARE = [ "{RESET_STATE}", "{LEAK_DETECTION}", …' in told


@pytest.mark.parametrize("requests", [0, 1])
def test_with_the_middleware_it_says_how_much_was_looked_at(viewer: Client, requests: int) -> None:
    # Not loaded by the client's handler, which is of before: only what the page says counts here.
    viewer.get(PAGE)
    for _ in range(requests):
        journal.looked()
    with override_settings(DEBUG=True, MIDDLEWARE=[*settings.MIDDLEWARE, LEAK_DETECTION]):
        told = seen(viewer)
    assert "No leak found so far" in told
    assert ("No request has been looked at yet" in told) == (requests == 0)


# What is a client's


HOSTILE = "<script>alert(1)</script>'\"><b>&amp;\u202e"


def test_everything_is_escaped(viewer: Client) -> None:
    hostile = Leak(
        path=HOSTILE,
        kind=f"kind{HOSTILE}",
        name=f"name{HOSTILE}",
        file=f"/file{HOSTILE}",
        line=1,
        growth=(1, 2),
        value=f"value{HOSTILE}",
        remedy=f"remedy{HOSTILE}",
    )
    keep(hostile, path=f"/path{HOSTILE}")
    response = viewer.get(PAGE, {"q": HOSTILE, "kind": f"kind{HOSTILE}"})
    page = response.content.decode()
    assert "<script>alert" not in page
    assert "b" not in Text(page).tags
    told = str(Text(page))
    for part in ("kind", "name", "/file", "value", "remedy", "GET /path"):
        assert f"{part}{HOSTILE}" in told
    page = viewer.get(PAGE, {"q": HOSTILE, "kind": HOSTILE}).content.decode()
    assert "<script>alert" not in page
