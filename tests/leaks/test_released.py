"""Releases that leak are found out, by name; those in which that was mended are not accused."""

from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from tests.leaks.projects.finder import Finder, install
from tests.leaks.projects.releases import RELEASES, Release

pytestmark = pytest.mark.slow


MISNAMED = {
    "unfold": "what the ModelAdmin keeps is reported as the urlconf's",
    "inline_actions": "what the ModelAdmin keeps is reported as the urlconf's",
    "currentuser": "the closure is reported, and not the thread-local that holds it",
}
"""What is found, but not called by its name, by site."""


def of_site(release: Release) -> str:
    return release.site


def leaking() -> list[ParameterSet]:
    """All of them, those marked that are called by another name."""
    return [
        pytest.param(
            it,
            id=it.site,
            marks=[pytest.mark.xfail(reason=MISNAMED[it.site])] if it.site in MISNAMED else [],
        )
        for it in RELEASES
    ]


def finder_of(release: Release, requirement: str, folder: Path) -> Finder:
    packages = install((requirement, *release.needs), folder)
    return Finder(f"tests.leaks.projects.released.{release.site}", folder, packages)


@pytest.mark.parametrize("release", leaking())
def test_a_release_that_leaks_is_found_out(tmp_path: Path, release: Release) -> None:
    found = finder_of(release, release.leaking, tmp_path).find([release.path], *release.options)
    assert {(leak["kind"], leak["name"]) for leak in found} >= {held[:2] for held in release.held}
    for held in release.held:
        (file,) = (leak["file"] for leak in found if leak["name"] == held.name)
        assert file.endswith(held.file)


@pytest.mark.parametrize("release", [it for it in RELEASES if it.mended], ids=of_site)
def test_the_release_in_which_it_was_mended_is_clean(tmp_path: Path, release: Release) -> None:
    finder = finder_of(release, release.mended, tmp_path)
    assert finder.find([release.path], *release.options) == []
