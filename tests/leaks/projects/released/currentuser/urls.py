from django.http import HttpRequest, HttpResponse
from django.urls import path
from django_currentuser.middleware import get_current_authenticated_user


def me(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(get_current_authenticated_user()))


urlpatterns = [path("me/", me)]
