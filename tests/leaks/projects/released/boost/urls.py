from typing import Any

from django.urls import path
from django_boost.views.generic import JsonView


class Visitor(JsonView):
    extra_context = {"shop": "books"}  # noqa: RUF012 - as the documentation has it

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        agent = self.request.headers["User-Agent"]
        context: dict[str, Any] = super().get_context_data(agent=agent, **kwargs)
        return context


urlpatterns = [path("visitor/", Visitor.as_view())]
