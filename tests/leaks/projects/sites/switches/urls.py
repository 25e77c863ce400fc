from constance import config
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path
from waffle import flag_is_active, switch_is_active


def loans(request: HttpRequest) -> HttpResponse:
    longer = flag_is_active(request, "longer") or switch_is_active("longer for all")
    return HttpResponse(f"{config.LOANS} books, {'long' if longer else 'short'}")


urlpatterns = [path("admin/", admin.site.urls), path("loans/", loans)]


def prepare() -> None:
    from waffle.models import Flag, Switch  # noqa: PLC0415 - needs the apps

    Flag.objects.create(name="longer", percent=50)
    Switch.objects.create(name="longer for all", active=False)
