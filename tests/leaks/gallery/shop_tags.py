"""Tags of the shop's templates."""

from typing import Any

from django import template
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.base import Parser, Token
from django.template.context import Context
from django.urls import path

register = template.Library()

# Django keeps templates, and with them the nodes: the twin keeps its state in the context of a
# rendering.


class RecentNode(template.Node):
    def __init__(self) -> None:
        self.seen: list[str] = []  # defined: template-tag

    def render(self, context: Context) -> str:
        self.seen.append(context["agent"])  # put in: template-tag
        return str(len(self.seen))


class RecentOfRenderingNode(template.Node):
    def render(self, context: Context) -> str:
        seen: Any = context.render_context.setdefault(self, [])
        seen.append(context["agent"])
        return str(len(seen))


@register.tag
def recent(parser: Parser, token: Token) -> RecentNode:
    return RecentNode()


@register.tag
def recent_of_rendering(parser: Parser, token: Token) -> RecentOfRenderingNode:
    return RecentOfRenderingNode()


def show(request: HttpRequest) -> HttpResponse:
    return render(request, "recent.html", {"agent": request.headers["User-Agent"]})


def show_of_rendering(request: HttpRequest) -> HttpResponse:
    return render(request, "recent_of_rendering.html", {"agent": request.headers["User-Agent"]})


urlpatterns = [
    path("leak/template-tag", show),
    path("clean/template-tag", show_of_rendering),
]
