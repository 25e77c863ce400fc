"""The list of flags, as the admin's own templates ask for it."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR, SEARCH_VAR
from django.core.paginator import Paginator
from django.http import QueryDict

from resident.flags.listing import FACETS, ORDERS, Listing, Row
from resident.flags.snapshot import Snapshot
from resident.models import Flag

__all__ = ["NAMESPACE_VAR", "FlagList"]

NAMESPACE_VAR = "namespace"
PER_PAGE = 100
TITLES = {"type": "type", "state": "state", "depends": "what it depends on"}
COLUMNS = (
    ("Key", "key"),
    ("Type", ""),
    ("State", ""),
    ("Depends on", ""),
    ("Last change", "changed"),
    ("Evaluations", "asked"),
)
"""The columns, each with what the list is ordered by in it, if it can be."""


class FlagList:
    """What the admin's own template asks of a change list; lives as long as the page.

    Args:
        asked: the query of the page.
        snapshots: by namespace.
    """

    formset = date_hierarchy = None
    add_facets = is_facets_optional = False
    show_all = can_show_all = False
    opts = Flag._meta  # noqa: SLF001 - as everywhere

    def __init__(self, asked: QueryDict, snapshots: Mapping[str, Snapshot]) -> None:
        names = (SEARCH_VAR, ORDER_VAR, NAMESPACE_VAR, *FACETS)
        self.params = {name: asked.get(name, "").strip() for name in names}
        self.query = self.params[SEARCH_VAR]
        self.namespaces = list(snapshots)
        chosen = snapshots.get(self.params[NAMESPACE_VAR])
        listing = Listing(
            [chosen] if chosen else snapshots.values(),
            query=self.query,
            chosen={name: self.params[name] for name in FACETS},
            order=self.params[ORDER_VAR],
        )
        self.total = sum(len(snapshot.flags) for snapshot in snapshots.values())
        self.result_count = len(listing.rows)
        self.paginator: Paginator[Row] = Paginator(listing.rows, PER_PAGE)
        page = self.paginator.get_page(asked.get(PAGE_VAR))
        self.rows, self.page_num = page.object_list, page.number
        self.multi_page = self.paginator.num_pages > 1
        self.has_several_namespaces = len(snapshots) > 1
        self.filter_specs = list(self._filters())
        self.has_filters = self.total > 0
        self.has_active_filters = any(self.params[spec.name] for spec in self.filter_specs)
        self.clear_all_filters_qs = self.get_query_string({it.name: "" for it in self.filter_specs})

    def get_query_string(self, changes: Mapping[str, object]) -> str:
        """The same question with some of it changed; what is "" is left out."""
        asked = {**self.params, **changes}
        return "?" + urlencode({name: value for name, value in asked.items() if value})

    def hidden(self) -> dict[str, str]:
        """What of the question a search keeps."""
        return {name: it for name, it in self.params.items() if it and name != SEARCH_VAR}

    def headers(self) -> Iterator[dict[str, Any]]:
        """The columns' headers, with where to click to order by them."""
        order = self.params[ORDER_VAR] if self.params[ORDER_VAR] in ORDERS else "key"
        for title, name in COLUMNS:
            asked = self.get_query_string({ORDER_VAR: "" if name == "key" else name})
            yield {"title": title, "url": name and asked, "is_order": name == order}

    def _filters(self) -> Iterator["_Filter"]:
        for name, choices in FACETS.items():
            yield _Filter(name, TITLES[name], list(choices))
        if self.has_several_namespaces:
            yield _Filter(NAMESPACE_VAR, "namespace", self.namespaces)


class _Filter:
    """What the admin's own template asks of a filter."""

    template = "admin/filter.html"

    def __init__(self, name: str, title: str, choices: list[str]) -> None:
        self.name = name
        self.title = title
        self._choices = choices

    def choices(self, changelist: FlagList) -> Iterator[dict[str, Any]]:
        for choice in ("", *self._choices):
            yield {
                "selected": choice == changelist.params[self.name],
                "query_string": changelist.get_query_string({self.name: choice}),
                "display": choice or "All",
            }
