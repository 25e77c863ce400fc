"""The pages of flags in the admin: who may see them, what they tell, and whom they evaluate for."""

import time
from collections.abc import Iterator
from os import getpid
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.test import Client, override_settings
from django.urls import NoReverseMatch, path, reverse

from project import settings as project
from resident import models
from resident.admin import FlagAdmin, people
from resident.flags import document, flag_enabled, flag_variant, saved
from resident.flags.resource import current
from resident.testing import FakeFlipt
from resident.worker import worker
from tests.flags.answers import SAMPLES
from tests.flags.reader import Text
from tests.granian import eventually
from tests.leaks.people import Person, tables, those

PAGE = "/admin/resident/flag/"
BASKET = f"{PAGE}new_basket/"
COLUMNS = "Key Type State Depends on Last change Evaluations"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shop(tmp_path: Path) -> Iterator[Path]:
    """The features file of a shop is served."""
    file = tmp_path / "features.yml"
    file.write_text((SAMPLES / "shop.yml").read_text())
    with override_settings(RESIDENT_FLAGS={"FEATURES": file, "FEATURES_INTERVAL": 0.01}):
        yield file


@pytest.fixture
def viewer(client: Client) -> Client:
    """A member of the staff who may view flags, and nothing else."""
    client.force_login(permitted("viewer", "view_flag"))
    return client


def permitted(name: str, *codenames: str) -> User:
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return user


def seen(client: Client, page: str = PAGE, **query: Any) -> str:
    response = client.get(page, query)
    assert response.status_code == 200
    return str(Text(response.content.decode()))


def keys(client: Client, **query: Any) -> list[str]:
    response = client.get(PAGE, query)
    assert response.status_code == 200
    return [row.flag.key for row in response.context["cl"].rows]


# Who


@pytest.mark.parametrize("page", [PAGE, BASKET])
def test_a_visitor_is_asked_to_log_in(client: Client, page: str) -> None:
    response = client.get(page)
    assert (response.status_code, response["Location"]) == (302, f"/admin/login/?next={page}")


@pytest.mark.parametrize("page", [PAGE, BASKET, f"{PAGE}unknown/"])
@pytest.mark.parametrize("is_staff", [True, False])
def test_without_the_permission_there_is_no_page(client: Client, page: str, is_staff: bool) -> None:
    client.force_login(User.objects.create_user("somebody", is_staff=is_staff))
    response = client.get(page)
    assert response.status_code == (403 if is_staff else 302)
    assert b"basket" not in response.content.replace(page.encode(), b"")
    assert b"resident" not in client.get("/admin/").content


def test_with_the_permission_it_is_in_the_index_and_in_the_sidebar(viewer: Client) -> None:
    assert f'href="{PAGE}" class="viewlink"' in viewer.get("/admin/").content.decode()
    assert f'href="{PAGE}"' in viewer.get("/admin/resident/").content.decode()
    sidebar = viewer.get(BASKET).content.decode().partition('id="nav-sidebar"')[2]
    assert f'href="{PAGE}"' in sidebar


def test_a_superuser_finds_nothing_to_change(admin_client: Client) -> None:
    assert f"{PAGE}add/" not in admin_client.get("/admin/").content.decode()
    for page in (PAGE, BASKET):
        text = admin_client.get(page).content.decode()
        assert "addlink" not in text.partition('id="main"')[2].partition('id="content"')[2]
        assert "historylink" not in text
        assert "deletelink" not in text
        assert admin_client.post(page).status_code == 405
    for name in ("add", "delete", "history"):
        with pytest.raises(NoReverseMatch):
            reverse(f"admin:resident_flag_{name}", args=["new_basket"] * (name != "add"))


def test_viewing_is_the_only_permission() -> None:
    ours = Permission.objects.filter(content_type=ContentType.objects.get_for_model(models.Flag))
    assert [permission.codename for permission in ours] == ["view_flag"]


# The list


def test_everything_that_is_known_is_listed(viewer: Client) -> None:
    flag_enabled("maintenance")
    flag_variant("checkout_button", entity_id="kim", context={"is_staff": False})
    told = seen(viewer)
    for part in (
        f"{COLUMNS} checkout_button Which words the button has. variant on segments and percentage",
        "none 1 go 1 free_shipping",
        "maintenance Puts a notice on each page, and takes no orders. boolean off everybody alike",
        "none 1 off 1",
        "new_basket The basket with suggestions",
        "boolean partly on segments and percentage none 0 prices_with_tax",
        'The model behind "you may also like".',
        "6 flags",
    ):
        assert part in told


def test_the_last_change_that_this_worker_saw(viewer: Client, shop: Path) -> None:
    assert "prices_with_tax" in keys(viewer)
    shop.write_text(shop.read_text().replace("percentage: 25", "percentage: 30"))
    assert eventually(lambda: bool(current()["default"].changed))
    assert keys(viewer, o="changed")[0] == "new_basket"
    assert "segments and percentage 20" not in seen(viewer, o="changed")  # it is today
    assert viewer.get(PAGE).content.count(b'field-changed" data-label="Last change"><time') == 1
    assert "30 % of all" in seen(viewer, BASKET)
    assert "Last change seen none" not in seen(viewer, BASKET)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "BASKET"}, ["new_basket"]),
        ({"q": "notice page"}, ["maintenance"]),
        ({"q": "companies"}, ["prices_with_tax"]),
        ({"q": "v2"}, ["recommendations"]),
        ({"q": "nothing such"}, []),
        ({"type": "variant"}, ["checkout_button", "recommendations"]),
        ({"state": "partly on"}, ["new_basket", "prices_with_tax"]),
        ({"state": "off", "type": "boolean"}, ["maintenance"]),
        ({"depends": "percentage"}, ["checkout_button", "new_basket"]),
        ({"depends": "segments"}, ["checkout_button", "new_basket", "prices_with_tax"]),
        ({"depends": "everybody alike"}, ["free_shipping", "maintenance", "recommendations"]),
        ({"depends": "segments", "q": "beta"}, ["new_basket"]),
    ],
)
def test_it_is_searched_and_filtered(
    viewer: Client, query: dict[str, str], found: list[str]
) -> None:
    assert keys(viewer, **query) == found
    told = seen(viewer, **query)
    assert f"{len(found)} of 6 ( show all)" in told
    assert ("No flag matches." in told) == (not found)


def test_a_search_keeps_the_filters_and_a_filter_the_search(viewer: Client) -> None:
    page = viewer.get(PAGE, {"q": "e", "state": "on", "o": "asked"}).content.decode()
    assert '<input type="hidden" name="state" value="on">' in page
    assert '<input type="hidden" name="o" value="asked">' in page
    assert 'href="?q=e&amp;o=asked&amp;type=boolean&amp;state=on"' in page
    assert 'href="?q=e&amp;o=asked">&#10006; Clear all filters' in page


def test_it_is_ordered(viewer: Client) -> None:
    for _ in range(2):
        flag_enabled("prices_with_tax")
    flag_enabled("maintenance")
    assert keys(viewer, o="asked")[:3] == ["prices_with_tax", "maintenance", "checkout_button"]
    page = viewer.get(PAGE, {"o": "asked"}).content.decode()
    assert 'aria-sort="descending" class="sorted"><div class="text"><a href="?o=asked">' in page
    assert keys(viewer, o="") == keys(viewer) == sorted(keys(viewer))


@pytest.mark.parametrize(
    "query", ["?e=1", "?state=", "?state=a&type=b", "?q=%00%ff", "?p=9&o=1", "?p=x", "?namespace=x"]
)
def test_no_query_breaks_it(viewer: Client, query: str) -> None:
    assert len(viewer.get(PAGE + query).context["cl"].rows) == (0 if "q=" in query else 6)


def test_five_thousand_flags_come_in_pages_and_soon(viewer: Client, shop: Path) -> None:
    flags = [
        flag.model_copy(update={"key": f"{flag.key}-{number}"})
        for number in range(833)
        for flag in current()["default"].document.flags
    ]
    worker.close()
    saved.save(shop, [document.Document.empty().model_copy(update={"flags": flags})])
    assert len(keys(viewer)) == 100  # which also opens them
    began = time.perf_counter()
    page = viewer.get(PAGE, {"p": 50})
    assert time.perf_counter() - began < 5
    assert len(page.context["cl"].rows) == 4998 - 49 * 100
    explained = [
        row for row in page.context["cl"].paginator.object_list if "explanation" in vars(row)
    ]
    assert len(explained) == len(page.context["cl"].rows)
    assert 'href="?p=2"' in page.content.decode()
    assert "4998 flags" in str(Text(page.content.decode()))
    assert keys(viewer, depends="percentage", p=2, q="basket")[0] == "new_basket-189"


# This worker


def test_it_says_what_this_one_process_serves(viewer: Client, shop: Path) -> None:
    for page in (PAGE, BASKET):
        told = seen(viewer, page)
        assert f"what one process, {getpid()}, serves and has counted. Other workers" in told
        assert f"Serves the flags of the features file {shop} Follows changes by looking" in told
        assert f"Version {current()['default'].version} Last error none" in told
        assert b"flags-doubtful" not in viewer.get(page).content


def test_a_file_that_went_wrong_is_told(viewer: Client, shop: Path) -> None:
    assert "Last error none" in seen(viewer)
    shop.write_text("flags: [")
    assert eventually(lambda: "Last error none" not in seen(viewer))
    page = viewer.get(BASKET)
    assert page.content.count(b'class="flags-doubtful"><dt>Last error') == 1
    assert b"25 % of all" in page.content


def test_flags_of_a_server(viewer: Client, settings: Any) -> None:
    with FakeFlipt(token=None) as flipt:
        flipt.load(SAMPLES / "shop.yml")
        settings.RESIDENT_SECRETS = {"OPTIONS": {"values": {"flipt_api_host": flipt.url}}}
        told = seen(viewer)
        assert f"the flags of Flipt at {flipt.url}" in told
        assert "Follows changes by" in told
        assert "stand-in" not in told
        worker.close()


def test_a_stand_in_is_told_to_be_one(viewer: Client, settings: Any) -> None:
    with FakeFlipt(token=None) as flipt:
        url = flipt.url
    settings.RESIDENT_SECRETS = {"OPTIONS": {"values": {"flipt_api_host": url}}}
    settings.RESIDENT_FLAGS = settings.RESIDENT_FLAGS | {"FALLBACK": "features", "DEADLINE": 0.1}
    told = seen(viewer)
    assert "as a stand-in: the source has not been reached since this worker began" in told
    assert "Last error none" not in told
    assert b'class="flags-doubtful"><dt>Serves' in viewer.get(BASKET).content


@pytest.mark.parametrize("page", [PAGE, BASKET])
def test_without_flags_the_page_says_why(viewer: Client, shop: Path, page: str) -> None:
    shop.write_text("flags: <script>alert(1)</script>")
    response = viewer.get(page)
    assert response.status_code == 200
    told = str(Text(response.content.decode()))
    assert "There are no flags in this worker: they could not be had" in told
    assert f"So it is in one process, {getpid()}. Other workers" in told
    assert f"The features file {shop} is not in Flipt's format" in told
    assert "<script>alert" not in response.content.decode()


@override_settings(RESIDENT_FLAGS={})
def test_without_a_source_the_page_says_what_to_do(viewer: Client) -> None:
    told = seen(viewer)
    assert "Serves no flags: each question gets its default in code" in told
    assert "No source of flags is named" in told
    assert 'RESIDENT_FLAGS["FEATURES"] names a file of flags' in told


def test_a_source_that_has_no_flag(viewer: Client, shop: Path) -> None:
    shop.write_text("flags: []")
    assert "The source has no flags" in seen(viewer)


SECOND = """
---
namespace: admin
flags:
  - {key: new_basket, name: Another, type: BOOLEAN_FLAG_TYPE, enabled: true}
"""


def test_several_namespaces(viewer: Client, shop: Path, settings: Any) -> None:
    shop.write_text(shop.read_text() + SECOND)
    settings.RESIDENT_FLAGS = settings.RESIDENT_FLAGS | {"NAMESPACES": ["admin"]}
    told = seen(viewer)
    assert "new_basket in admin boolean on" in told
    assert "new_basket in default The basket with suggestions" in told
    assert "Namespace admin Serves the flags of" in told
    assert "Namespace default Serves the flags of" in told
    assert keys(viewer, namespace="admin") == ["new_basket"]
    assert keys(viewer, q="basket") == ["new_basket", "new_basket"]
    assert f'href="{BASKET}?namespace=admin"' in viewer.get(PAGE).content.decode()
    page = viewer.get(BASKET, {"namespace": "admin"})
    assert '<input type="hidden" name="namespace" value="admin">' in page.content.decode()
    assert "boolean flag of the namespace admin, the same for everybody" in seen(
        viewer, BASKET, namespace="admin"
    )
    assert "of the namespace default, depends on" in seen(viewer, BASKET)
    assert viewer.get(f"{PAGE}maintenance/", {"namespace": "admin"}).status_code == 302


# A flag


def test_a_flag_is_told_in_words(viewer: Client) -> None:
    flag_enabled("new_basket")
    told = seen(viewer, BASKET)
    for part in (
        "partly on boolean flag, depends on segments and percentage",
        "The basket with suggestions, which keeps what was put aside.",
        "Who gets what 1 staff: on 2 beta and germany: on 3 25 % of all: on else: off",
        'beta one of plan is one of "pro", "beta" entity id is one of "7", "42"',
        'germany all of language begins with "de" age is at least 18',
        "staff is_staff is true",
        "Evaluations 1: off 1 Last change seen none",
        "It looks at age, is_staff, language, plan.",
        'Definition, as Flipt sends it { "key": "new_basket",',
    ):
        assert part in told


def test_shares_are_told_in_words_and_drawn(viewer: Client) -> None:
    page = Text(viewer.get(f"{PAGE}checkout_button/").content.decode())
    assert "2 everyone 50 % buy buckets 0 to 499 30 % order buckets 500 to 799" in str(page)
    assert "else: buy never reached" in str(page)
    drawn = [(it["x"], it["width"]) for tag, it in page.tags if tag == "rect" and "x" in it]
    assert drawn == [("0", "500"), ("500", "300"), ("800", "200")]


@override_settings(USE_THOUSAND_SEPARATOR=True)
def test_no_language_breaks_the_bars(viewer: Client, shop: Path) -> None:
    shop.write_text(shop.read_text().replace("percentage: 25", "percentage: 12.5"))
    page = viewer.get(BASKET, headers={"accept-language": "de"}).content.decode()
    assert 'width="12.5"' in page
    assert 'viewBox="0 0 1000 1"' in viewer.get(f"{PAGE}checkout_button/").content.decode()


def test_a_flag_that_is_not_there(viewer: Client) -> None:
    response = viewer.get(f"{PAGE}unknown%3Cb%3E/", follow=True)
    assert response.redirect_chain == [("/admin/", 302)]
    assert "exist. Perhaps it was deleted?" in response.content.decode()
    assert "<b>" not in response.content.decode()


ODD = """
flags:
  - key: "a,b_c-D9"
    name: Odd
    description: "<b>bold</b> {long}"
    type: BOOLEAN_FLAG_TYPE
"""


def test_odd_keys_and_long_descriptions(viewer: Client, shop: Path) -> None:
    shop.write_text(ODD.replace("{long}", "and so on, " * 100))
    page = viewer.get(PAGE).content.decode()
    assert f'href="{PAGE}a_2Cb_5Fc-D9/"' in page or f'href="{PAGE}a,b_c-D9/"' in page
    href = page.partition('class="field-key">')[2].partition('href="')[2].partition('"')[0]
    assert "<b>" not in page
    assert "&lt;b&gt;bold" in page
    assert len(page) < 20_000
    told = seen(viewer, href)
    assert "and so on, " * 99 in told
    assert "<b>bold</b>" in told


# Evaluating


def test_nobody_was_asked_about_yet(viewer: Client) -> None:
    assert "Decided by" not in seen(viewer, BASKET)
    assert "passed over" not in seen(viewer, BASKET, namespace="default")


def test_for_an_entity_and_a_context(viewer: Client) -> None:
    context = "plan = pro\n\n language=de-AT\r\nage = 18"
    told = seen(viewer, BASKET, entity="1", context=context)
    for part in (
        "on a step was about them Decided by step 2, beta and germany",
        "Percentage bucket 95 of 100: it played no part",
        "Segments beta, germany Reason MATCH Entity id 1 Context",
        "age = 18",
        "language = de-AT",
        "1 staff: on passed over 2 beta and germany: on decided 3 25 % of all: on not looked at",
    ):
        assert part in told
    assert 'value="1"' in viewer.get(BASKET, {"entity": "1"}).content.decode()


def test_by_its_percentage(viewer: Client) -> None:
    assert "bucket 17 of 100: below 25, so on" in seen(viewer, BASKET, entity="4")
    told = seen(viewer, BASKET, entity="1")
    assert "off no step was about them Decided by else: none of the steps was about them" in told
    assert "bucket 95 of 100: not below 25" in told


def test_a_variant_with_what_is_attached(viewer: Client) -> None:
    told = seen(viewer, f"{PAGE}checkout_button/", entity="kim", context="")
    assert 'go a step was about them Attachment {"label": "Go"} Decided by step 2' in told
    assert "bucket 860 of 1000: 800 to 999 get go" in told


def test_what_asks_nobody(viewer: Client) -> None:
    told = seen(viewer, f"{PAGE}free_shipping/", entity="7", context="plan = pro")
    assert "nothing: it answers the same to everybody" in told
    assert "Entity id not looked at Context nothing that the flag looks at" in told
    assert "It looks at no property." in told


def test_it_counts_nothing_and_changes_nothing(viewer: Client) -> None:
    flag_enabled("new_basket")
    before = dict(current()["default"].counts["new_basket"])
    seen(viewer, BASKET, entity="4", context="")
    assert current()["default"].counts["new_basket"] == before
    assert "resident_visitor" not in viewer.cookies


@pytest.mark.parametrize(
    ("context", "error"),
    [
        ("plan pro", "Line 1: write 'plan pro' as key = value."),
        ("a = b\n = c", "Line 2: write '= c' as key = value."),
        ("a = b\na = c", "Line 2: 'a' stands twice."),
        ("<script>alert(1)</script>", "Line 1: write '<script>"),
    ],
)
def test_a_context_that_is_none(viewer: Client, context: str, error: str) -> None:
    response = viewer.get(BASKET, {"entity": "", "context": context})
    told = str(Text(response.content.decode()))
    assert error in told
    assert "Decided by" not in told
    assert "<script>alert" not in response.content.decode()


def test_a_value_may_be_empty_and_have_an_equals_sign(viewer: Client) -> None:
    told = seen(viewer, f"{PAGE}prices_with_tax/", entity="", context="vat_id =")
    assert "on no step was about them" in told
    told = seen(viewer, f"{PAGE}prices_with_tax/", entity="", context="vat_id = a=b")
    assert "Segments companies" in told
    assert "vat_id = a=b" in told


def test_an_entity_id_that_the_engine_does_not_take(viewer: Client) -> None:
    told = seen(viewer, BASKET, entity="\u2003", context="")
    assert "Decided by" in told or "can't be evaluated" in told


# For a user


def test_for_a_user_picked_by_name(client: Client) -> None:
    client.force_login(permitted("manager", "view_flag", "view_user"))
    kim = User.objects.create_user("kim", is_staff=True)
    page = client.get(BASKET).content.decode()
    assert 'data-ajax--url="/admin/autocomplete/"' in page
    asked = {"app_label": "admin", "model_name": "logentry", "field_name": "user", "term": "ki"}
    found = client.get("/admin/autocomplete/", asked).json()["results"]
    assert found == [{"id": str(kim.pk), "text": "kim"}]
    told = seen(client, BASKET, person=kim.pk)
    assert "on a step was about them Decided by step 1, staff" in told
    assert f"Entity id {kim.pk} Context" in told
    assert "is_staff = true" in told
    assert (
        f'<option value="{kim.pk}" selected>kim</option>'
        in client.get(BASKET, {"person": kim.pk}).content.decode()
    )


def test_what_is_typed_comes_before_what_is_the_users(client: Client) -> None:
    client.force_login(permitted("manager", "view_flag", "view_user"))
    kim = User.objects.create_user("kim", is_staff=True)
    told = seen(client, BASKET, person=kim.pk, entity="4", context="is_staff = false")
    assert "bucket 17 of 100: below 25, so on" in told
    assert "Entity id 4" in told


@pytest.mark.parametrize("person", ["0", "kim", "\x00", "9" * 40])
def test_a_user_that_is_not_there(client: Client, person: str) -> None:
    client.force_login(permitted("manager", "view_flag", "view_user"))
    told = seen(client, BASKET, person=person)
    assert "Decided by" not in told
    assert "There is no such user." in told or "Null characters are not allowed." in told


def test_who_may_not_view_users_asks_only_for_himself(viewer: Client) -> None:
    """Neither whether there is such a user, nor what flags answer to one."""
    kim = User.objects.create_user("kim", is_staff=True, is_superuser=True)
    page = viewer.get(BASKET).content.decode()
    assert "autocomplete/" not in page
    assert "As myself, viewer" in page
    assert "Entity id anonymous" in seen(viewer, BASKET, entity="")
    me = User.objects.get(username="viewer")
    for ticked in (kim.pk, "kim", "unheard-of", "on"):
        told = seen(viewer, BASKET, person=ticked)
        assert f"Entity id {me.pk} " in told
        assert "step 1, staff" in told


def test_users_of_which_the_admin_shows_none_are_not_picked(client: Client) -> None:
    class OfOthers(ModelAdmin):  # type: ignore[type-arg] # it takes none when it runs
        search_fields = ("username",)

        def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
            return User.objects.exclude(username="kim")

    kim = User.objects.create_user("kim", is_staff=True)
    client.force_login(permitted("manager", "view_flag", "view_user"))
    with other_site(users=OfOthers):
        told = seen(client, "/backstage/flags/resident/flag/new_basket/", person=kim.pk)
    assert "Decided by" not in told


# Other sites


class Backstage(AdminSite):
    site_header = "Backstage"


class other_site(override_settings):  # noqa: N801 - as that is
    """An admin of the project's own, below another path, with flags, and with users or without."""

    def __init__(self, users: Any = None) -> None:
        site = Backstage(name="backstage")
        site.register(models.Flag, FlagAdmin)
        if users is not None:
            site.register(User, users)
        self.urlpatterns = [path("backstage/flags/", site.urls), path("admin/", admin.site.urls)]
        super().__init__(ROOT_URLCONF=tuple(self.urlpatterns))


def test_another_admin_site_has_pages_of_its_own(viewer: Client) -> None:
    with other_site():
        page = viewer.get("/backstage/flags/resident/flag/").content.decode()
        assert 'href="/backstage/flags/resident/flag/new_basket/"' in page
        assert "Backstage" in page
        assert '"/admin/' not in page
        page = viewer.get("/backstage/flags/resident/flag/new_basket/").content.decode()
        assert '"/admin/' not in page
        gone = viewer.get("/backstage/flags/resident/flag/unknown/")
        assert gone["Location"] == "/backstage/flags/"


def test_where_the_site_has_no_users_their_name_is_typed(client: Client) -> None:
    client.force_login(permitted("manager", "view_flag", "view_user"))
    User.objects.create_user("kim", is_staff=True)
    page = "/backstage/flags/resident/flag/new_basket/"
    with other_site():
        assert "Username" in seen(client, page)
        assert "Decided by step 1, staff" in seen(client, page, person="kim")
        assert "There is no user 'unheard-of'." in seen(client, page, person="unheard-of")
        assert "Entity id anonymous" in seen(client, page, person="", entity="")


def test_where_the_site_has_no_users_viewing_them_is_still_asked_for(viewer: Client) -> None:
    with other_site():
        assert "As myself" in seen(viewer, "/backstage/flags/resident/flag/new_basket/")


@pytest.mark.django_db(transaction=True)
def test_the_name_is_what_users_log_in_with() -> None:
    with tables():
        somebody = those(Person).create(email="kim@example.com", phone="1", number=1)
        field = people._Named(those(Person).all())
        assert field.label == "Email"
        assert field.clean("kim@example.com") == somebody
        for wrong in ("kim", str(somebody.pk)):
            with pytest.raises(ValidationError, match="There is no user"):
                field.clean(wrong)


def test_where_users_are_not_searched_their_name_is_typed(client: Client) -> None:
    class Plain(ModelAdmin):  # type: ignore[type-arg] # as above
        pass

    client.force_login(permitted("manager", "view_flag", "view_user"))
    with other_site(users=Plain):
        assert "Username" in seen(client, "/backstage/flags/resident/flag/new_basket/")


# The project's own builder of contexts


def by_group(request: HttpRequest) -> dict[str, Any]:
    user: Any = request.user
    request.session["asked"] = True
    groups = [group.name for group in user.groups.all()]
    assert "sessionid" not in request.COOKIES
    assert "HTTP_COOKIE" not in request.META
    return {"plan": "pro" if "customers" in groups else "free", "language": "de", "age": 18}


def failing(request: HttpRequest) -> dict[str, Any]:
    raise LookupError("<i>no such tenant</i>")


def test_the_projects_own_builder_of_contexts_is_asked(client: Client, settings: Any) -> None:
    settings.RESIDENT_FLAGS = settings.RESIDENT_FLAGS | {"CONTEXT": f"{__name__}.by_group"}
    client.force_login(permitted("manager", "view_flag", "view_user"))
    kim = User.objects.create_user("kim")
    kim.groups.add(Group.objects.create(name="customers"))
    told = seen(client, BASKET, person=kim.pk)
    assert "Decided by step 2, beta and germany" in told
    assert "plan = pro" in told
    assert "asked" not in client.session


def test_a_builder_that_fails_is_told(client: Client, settings: Any) -> None:
    settings.RESIDENT_FLAGS = settings.RESIDENT_FLAGS | {"CONTEXT": f"{__name__}.failing"}
    client.force_login(permitted("manager", "view_flag"))
    told = seen(client, BASKET, person="on")
    assert "The context of that user can't be built: LookupError: <i>no such tenant</i>" in told


# Its security


@pytest.mark.parametrize("page", [PAGE, BASKET, f"{PAGE}checkout_button/?entity=kim"])
def test_nothing_of_ours_stands_inline(viewer: Client, page: str) -> None:
    """A policy that allows no inline script and style allows these pages."""
    text = Text(viewer.get(page).content.decode())
    for tag, attributes in text.tags:
        assert tag != "style"
        assert tag != "script" or attributes.get("src")
        assert not [name for name in attributes if name.startswith("on") or name == "style"]


@override_settings(RESIDENT_FLAGS=project.RESIDENT_FLAGS)
def test_the_greeting_has_a_page(viewer: Client) -> None:
    assert keys(viewer) == ["show_reverse_greeting"]
    told = seen(viewer, f"{PAGE}show_reverse_greeting/")
    assert "Greets backwards while it is on." in told
    assert "Who gets what everybody: off" in told
