from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def meta(request: HttpRequest) -> HttpResponse:
    return HttpResponse(repr(request.META), content_type="text/plain")


urlpatterns = [path("meta", meta), path("", include("project.urls"))]
