from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import include, path


def home(request: HttpRequest) -> HttpResponse:
    page = engines["django"].from_string("{% load unicorn %}{% unicorn 'basket' %}")
    return HttpResponse(page.render({}, request))


urlpatterns = [
    path("unicorn/", include("django_unicorn.urls", namespace="django_unicorn")),
    path("", home),
]
