"""The page of flags: what this process answers, to whom, and why."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.forms import Media
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from resident.admin.flaglist import NAMESPACE_VAR, FlagList
from resident.admin.trial import Trial
from resident.exceptions import ResidentError
from resident.flags.listing import Row
from resident.flags.resource import current, flags
from resident.flags.snapshot import Snapshot
from resident.flags.standing import Standing
from resident.models import Flag
from resident.worker import worker

__all__ = ["FlagAdmin"]

STYLE = Media(css={"all": ["resident/flags.css"]})


@admin.register(Flag)
class FlagAdmin(admin.ModelAdmin):  # type: ignore[type-arg] # it takes none when it runs
    """Shows the flags that this process serves. They are changed in Flipt, or in the file."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("", view(self.changelist_view), name="resident_flag_changelist"),
            path("<key>/", view(self.flag_view), name="resident_flag_change"),
        ]

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        return {"view": self.has_view_permission(request)}

    @method_decorator(require_safe)
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        served, context = self._begin(request)
        page = FlagList(request.GET, served.snapshots)
        context |= {"title": "Flags", "cl": page, "media": STYLE}
        template = "admin/resident/flag/change_list.html"
        return TemplateResponse(request, template, context | (extra_context or {}))

    @method_decorator(require_safe)
    def flag_view(
        self, request: HttpRequest, key: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page of one flag, which also evaluates it for whom the query names."""
        served, context = self._begin(request)
        if served.problem:
            return self.changelist_view(request, extra_context)
        snapshot = served.snapshots.get(request.GET.get(NAMESPACE_VAR) or served.namespace)
        flag = None if snapshot is None else snapshot.flags.get(key)
        if snapshot is None or flag is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, key)  # type: ignore[attr-defined, no-any-return] # the admin's own
        trial = Trial(request, self.admin_site, snapshot, flag)
        context |= {
            "title": key,
            "original": Flag(key=key),
            "row": Row(snapshot, flag),
            "trial": trial,
            "steps": trial.told(),
            "has_namespaces": len(served.snapshots) > 1,
            "media": STYLE + trial.media,
        }
        template = "admin/resident/flag/change_form.html"
        return TemplateResponse(request, template, context | (extra_context or {}))

    def _begin(self, request: HttpRequest) -> tuple["_Served", dict[str, Any]]:
        """What is served, and what both pages tell of this worker.

        Raises:
            PermissionDenied: the person at the page may not view flags.
        """
        if not self.has_view_permission(request):
            raise PermissionDenied
        request.current_app = self.admin_site.name
        served = _Served.here()
        return served, {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "has_view_permission": True,
            "has_add_permission": False,
            "actions_on_top": True,  # else the admin's template adds a style to the page
            "process": os.getpid(),
            "standings": served.standings,
            "problem": served.problem,
        }


@dataclass(frozen=True)
class _Served:
    """What this process serves; lives as long as the page.

    Attributes:
        snapshots: by namespace.
        standings: how current each of them is.
        namespace: which of them is meant where none is named.
        problem: why there is none; "" where there is.
    """

    snapshots: Mapping[str, Snapshot] = field(default_factory=dict)
    standings: Sequence[Standing] = ()
    namespace: str = ""
    problem: str = ""

    @classmethod
    def here(cls) -> "_Served":
        try:
            snapshots, client = current(), worker.get(flags)
        except ResidentError as error:
            return cls(problem=str(error))
        standings = [Standing(client.state(name)) for name in snapshots]
        return cls(snapshots, standings, client.namespace)
