"""Who leaks nothing is not accused, and what is said of packages is true."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.leaks.projects.catalogue import PROJECTS, Project
from tests.leaks.projects.finder import Finder, need

pytestmark = pytest.mark.slow

RUNS = 3

TRUE: dict[str, dict[tuple[str, str], str]] = {
    "rest_framework": {
        ("class attribute", "rest_framework.views.APIView.schema._view"): (
            "one descriptor for all views notes which of them was asked last for its schema"
        ),
    },
    "filters": {
        (
            "instance attribute",
            "crispy_forms.templatetags.crispy_forms_tags.CrispyFormNode.actual_helper",
        ): "a template's node, which all requests share, notes the helper of the last form",
    },
    "reversions": {
        ("instance attribute", "auditlog.admin.LogEntryAdmin.request"): (
            "the ModelAdmin, of which there is one, notes the request in get_queryset()"
        ),
        ("context variable", "auditlog.context.auditlog_value"): (
            "the actor and his address are set for each request, and never reset"
        ),
        ("context variable", "auditlog.cid.correlation_id"): (
            "the correlation id is set for each request, and never reset"
        ),
    },
}
"""What packages keep, by site: its kind and name, and why that is so."""


def of_site(project: Project) -> str:
    return project.site


class Looks:
    """Looks at a project's pages, as many at a time as the machine can; lives as long as a test."""

    def __init__(self, folder: Path, pool: ThreadPoolExecutor) -> None:
        self._folder = folder
        self._pool = pool

    def find(self, project: Project, *options: str, runs: int = 1) -> list[dict[str, Any]]:
        """Everything that is reported of all pages, in all runs."""
        need(*project.modules)
        finder = Finder(f"tests.leaks.projects.sites.{project.site}", self._folder)
        looks = [
            self._pool.submit(
                finder.find, visit.paths, *visit.options, *options, status=visit.status
            )
            for visit in project.visits * runs
        ]
        return [leak for look in looks for leak in look.result()]


@pytest.fixture
def looks(tmp_path: Path) -> Iterator[Looks]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield Looks(tmp_path, pool)


@pytest.mark.parametrize("project", PROJECTS, ids=of_site)
def test_who_leaks_nothing_is_not_accused(looks: Looks, project: Project) -> None:
    assert looks.find(project, runs=RUNS) == []


@pytest.mark.parametrize("project", PROJECTS, ids=of_site)
def test_what_is_said_of_packages_is_true(looks: Looks, project: Project) -> None:
    found = looks.find(project, "--third-party", "--raw")
    assert {(leak["kind"], leak["name"]) for leak in found} == TRUE.get(project.site, {}).keys()
