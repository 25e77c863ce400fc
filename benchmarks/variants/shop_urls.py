from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from resident.flags import flag_enabled, flag_variant


def shop(_: HttpRequest, customer: str) -> HttpResponse:
    """What the page of one customer asks."""
    context = {"plan": "pro" if customer.endswith("7") else "free", "language": "de", "age": 30}
    flag_enabled("free_shipping", entity_id=customer)
    flag_enabled("prices_with_tax", entity_id=customer, context=context)
    if not flag_enabled("new_basket", entity_id=customer, context=context):
        return HttpResponse("The old basket.")
    flag_variant("checkout_button", entity_id=customer, context=context)
    return HttpResponse("The new basket.")


urlpatterns = [path("shop/<customer>", shop), path("", include("project.urls"))]
