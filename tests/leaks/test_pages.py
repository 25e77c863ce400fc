"""Every page that takes no argument is found in the URLconf, and no other."""

from collections.abc import Iterator

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.test import override_settings
from django.urls import include, path, re_path
from django.utils import translation

from resident.conf import conf
from resident.exceptions import ConfigurationError
from resident.leaks.pages import urls_of_project
from tests.leaks.rehearsed import echo, meta

below = ([path("page", meta, name="page"), path("<int:number>", meta)], "below")

urlpatterns = [
    path("", meta),
    path("plus+percent%", meta),
    path("below/", include(below, namespace="one")),
    path("<slug:name>/", include(below, namespace="two")),
    re_path(r"^literal/?$", meta),
    re_path(r"^feed\.xml$", meta),
    re_path(r"^year/(?P<year>[0-9]{4})$", meta),
    re_path(r"^any\d$", meta),
    re_path(r"^either|or$", meta),
    re_path(r"^kept(?P<what>)$", meta),
    path("below/page", echo),
    path("accounts/logout/", meta),
    path("health/ready", meta),
    re_path(r"^behind$(?!)", meta),
    *i18n_patterns(path("translated", meta)),
]


@pytest.fixture(autouse=True)
def _urls() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__), translation.override("de"):
        yield


def test_all_that_take_no_argument() -> None:
    assert urls_of_project() == [
        "/",
        "/plus+percent%",
        "/below/page",
        "/literal",
        "/feed.xml",
        "/accounts/logout/",
        "/health/ready",
        "/de/translated",
    ]


def test_some_are_left_out() -> None:
    assert urls_of_project(["^/below/", "l$"]) == [
        "/",
        "/plus+percent%",
        "/accounts/logout/",
        "/health/ready",
        "/de/translated",
    ]


def test_the_settings_leave_some_out() -> None:
    left_out = set(urls_of_project()) - set(urls_of_project(conf.findleaks_exclude))
    assert left_out == {"/accounts/logout/", "/health/ready"}
    with override_settings(RESIDENT_FINDLEAKS={"EXCLUDE": ["translated"]}):
        assert conf.findleaks_exclude == ["translated"]


def test_a_wrong_expression_is_named() -> None:
    with (
        override_settings(RESIDENT_FINDLEAKS={"EXCLUDE": ["("]}),
        pytest.raises(ConfigurationError, match=r"\['EXCLUDE'\] lists '\(', which is no regular"),
    ):
        conf.findleaks_exclude  # noqa: B018 - it is read
