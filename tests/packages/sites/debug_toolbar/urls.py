from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def look(request: HttpRequest) -> HttpResponse:
    Group.objects.count()
    return HttpResponse("<html><body></body></html>")


urlpatterns = [
    path("look", look),
    path("__debug__/", include("debug_toolbar.urls")),
]
