"""The page of leaks: what LeakDetectionMiddleware has found in this process."""

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.forms import Media
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from resident.leaks.journal import journal
from resident.leaks.listing import Listing
from resident.models import Leak

__all__ = ["LeakAdmin"]

KIND_VAR = "kind"
LEAK_DETECTION = "resident.middleware.LeakDetectionMiddleware"
STYLE = Media(css={"all": ["resident/leaks.css"]})


@admin.register(Leak)
class LeakAdmin(admin.ModelAdmin):  # type: ignore[type-arg] # it takes none when it runs
    """Lists what LeakDetectionMiddleware found in this process. There is nothing to change."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.changelist_view)
        return [path("", view, name="resident_leak_changelist")]

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        return {"view": self.has_view_permission(request)}

    @method_decorator(require_safe)
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        request.current_app = self.admin_site.name
        page = _ChangeList(request)
        context = {
            **self.admin_site.each_context(request),
            "title": "Leaks",
            "cl": page,
            "opts": self.opts,
            "media": STYLE,
            "has_add_permission": False,
            "process": os.getpid(),
            "requests": journal.requests,
            "is_off": not settings.DEBUG,
            "is_listed": LEAK_DETECTION in settings.MIDDLEWARE,
            "middleware": LEAK_DETECTION,
        }
        template = "admin/resident/leak/change_list.html"
        return TemplateResponse(request, template, context | (extra_context or {}))


class _ChangeList:
    """What the admin's own template asks of a change list; lives as long as the page."""

    formset = date_hierarchy = None
    add_facets = is_facets_optional = False
    opts = Leak._meta  # noqa: SLF001 - as everywhere

    def __init__(self, request: HttpRequest) -> None:
        self.query = request.GET.get(SEARCH_VAR, "").strip()
        self.kind = request.GET.get(KIND_VAR, "")
        self.listing = Listing(journal.entries(), query=self.query, kind=self.kind)
        self.result_count = len(self.listing.rows)
        self.has_filters = self.listing.total > 0
        self.has_active_filters = bool(self.kind)
        self.clear_all_filters_qs = self.query_string("")
        self.filter_specs = [_KindFilter()]

    def query_string(self, kind: str) -> str:
        """The same search with this kind only; with all of them for ""."""
        asked = {SEARCH_VAR: self.query, KIND_VAR: kind}
        return "?" + urlencode({name: value for name, value in asked.items() if value})


class _KindFilter:
    """What the admin's own template asks of a filter."""

    title = "kind"
    template = "admin/filter.html"

    def choices(self, changelist: _ChangeList) -> Iterator[dict[str, Any]]:
        for kind in ("", *changelist.listing.kinds):
            yield {
                "selected": kind == changelist.kind,
                "query_string": changelist.query_string(kind),
                "display": kind or "All",
            }
