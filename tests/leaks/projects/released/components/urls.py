from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path
from django_components import Component, register

PAGE = """
{% component 'greeting' %}{% endcomponent %}
{% component 'price' amount=3 %}{% endcomponent %}
"""


@register("greeting")
class Greeting(Component):
    template = "<p>Hello {{ user }}</p>"


@register("price")
class Price(Component):
    template = "<b>{{ amount }} €</b>"

    class Cache:
        enabled = True

    def get_template_data(self, args: Any, kwargs: Any, slots: Any, context: Any) -> dict[str, Any]:
        return {"amount": kwargs["amount"]}


def prices(request: HttpRequest) -> HttpResponse:
    return HttpResponse(engines["django"].from_string(PAGE).render({}, request))


urlpatterns = [path("prices/", prices)]
