"""Releases that leak are found out, by name; those in which that was mended are not accused."""

from pathlib import Path

import pytest

from tests.leaks.projects.finder import Finder, install
from tests.leaks.projects.releases import RELEASES, Release

pytestmark = pytest.mark.slow


def of_site(release: Release) -> str:
    return release.site


def finder_of(release: Release, requirement: str, folder: Path) -> Finder:
    packages = install((requirement, *release.needs), folder)
    return Finder(f"tests.leaks.projects.released.{release.site}", folder, packages)


@pytest.mark.parametrize("release", RELEASES, ids=of_site)
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
