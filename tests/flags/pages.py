"""URLs whose views are there only while a flag says so, in all the forms that there are."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import TemplateView

from resident.flags import BooleanFlag, FlagRequiredMixin, flag_required, flagged_path

declared = BooleanFlag("declared_page", default=True)


def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    return HttpResponse(" ".join(["the page", *args, *(f"{it}={kwargs[it]}" for it in kwargs)]))


async def async_page(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("the async page")


def other(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("the other page" + "".join(f" {it}={kwargs[it]}" for it in kwargs))


async def async_other(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("the other async page")


def team_of(request: HttpRequest, team: str) -> str:
    return team


class Page(View):
    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return page(request, **kwargs)


class AsyncPage(View):
    async def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return await async_page(request)


class Mixed(FlagRequiredMixin, Page):
    flag_key = "staff_only"


class MixedAsync(FlagRequiredMixin, AsyncPage):
    flag_key = "staff_only"


class Otherwise(Mixed):
    flag_otherwise = other


class OtherwiseAsync(MixedAsync):
    flag_otherwise = other


class OtherwiseItsAsync(Mixed):
    flag_otherwise = async_other


class Elsewhere(Mixed):
    flag_redirect_to = "home"


class ElsewhereAsync(MixedAsync):
    flag_redirect_to = "home"


class Loud(Mixed):
    flag_key = "style"
    flag_value = "loud"
    flag_default = "plain"
    flag_namespace = "default"

    def get_flag_context(self) -> dict[str, Any]:
        return {"plan": self.kwargs["plan"]}


class OfTeam(Mixed):
    flag_key = "half"

    def get_flag_entity_id(self) -> str:
        return str(self.kwargs["team"])


class Nameless(FlagRequiredMixin, TemplateView):
    template_name = "none.html"


@method_decorator(flag_required("staff_only"), name="dispatch")
class Decorated(Page):
    pass


@method_decorator(flag_required("staff_only", otherwise=other), name="dispatch")
class DecoratedAsync(AsyncPage):
    pass


class DecoratedMethod(View):
    @method_decorator(flag_required("staff_only"))
    def get(self, request: HttpRequest) -> HttpResponse:
        return page(request)


class DecoratedAsyncMethod(View):
    @method_decorator(flag_required("staff_only"))
    async def get(self, request: HttpRequest) -> HttpResponse:
        return await async_page(request)


required = flag_required("staff_only")
included: list[Any] = [
    path("page/<int:number>", page, name="included"),
    path("async", async_page),
    path("deep/", include([path("page", page)])),
]

urlpatterns = [
    path("", page, name="home"),
    # the decorator
    path("function", required(page)),
    path("function/async", required(async_page)),
    path("class", required(Page.as_view())),
    path("class/async", required(AsyncPage.as_view())),
    path("off", flag_required("staff_only", value=False)(page)),
    path(
        "loud/<plan>",
        flag_required("style", value="loud", context=lambda _, plan: {"plan": plan})(page),
    ),
    path(
        "loud/async/<plan>",
        flag_required("style", value="loud", context=lambda _, plan: {"plan": plan})(async_page),
    ),
    path("default", flag_required("unknown_page", default=True)(page)),
    path("declared", flag_required(declared)(page)),
    path("team/<team>", flag_required("half", entity_id=team_of)(page)),
    path("elsewhere", flag_required("staff_only", redirect_to="home")(page)),
    path("elsewhere/async", flag_required("staff_only", redirect_to="/x?y=1")(async_page)),
    path("otherwise/<int:n>", flag_required("staff_only", otherwise=other)(page)),
    path("otherwise/its-async", flag_required("staff_only", otherwise=async_other)(page)),
    path("otherwise/async", flag_required("staff_only", otherwise=async_other)(async_page)),
    path("otherwise/its-sync", flag_required("staff_only", otherwise=other)(async_page)),
    path("exempt", required(csrf_exempt(page))),
    path("decorated", Decorated.as_view()),
    path("decorated/async", DecoratedAsync.as_view()),
    path("decorated/method", DecoratedMethod.as_view()),
    path("decorated/method/async", DecoratedAsyncMethod.as_view()),
    # the mixin
    path("mixed", Mixed.as_view()),
    path("mixed/async", MixedAsync.as_view()),
    path("mixed/otherwise/<int:n>", Otherwise.as_view()),
    path("mixed/otherwise/async", OtherwiseAsync.as_view()),
    path("mixed/otherwise/its-async", OtherwiseItsAsync.as_view()),
    path("mixed/elsewhere", Elsewhere.as_view()),
    path("mixed/elsewhere/async", ElsewhereAsync.as_view()),
    path("mixed/loud/<plan>", Loud.as_view()),
    path("mixed/team/<team>", OfTeam.as_view()),
    path("mixed/nameless", Nameless.as_view()),
    # URLs
    flagged_path("staff_only", "path/<int:n>", page, {"more": "x"}, "flagged"),
    flagged_path("staff_only", "path/async", async_page),
    flagged_path("staff_only", "path/class", Page.as_view(), otherwise=other),
    flagged_path("staff_only", "path/elsewhere", page, redirect_to="home"),
    flagged_path("style", "path/loud", page, value="loud", default="loud"),
    flagged_path("staff_only", "off/", include(included), value=False),
    flagged_path(
        "staff_only", "included/<slug:shop>/", include((included, "app"), "space"), {"more": "x"}
    ),
    flagged_path("staff_only", "otherwise/", include(included), otherwise=other),
]
