"""django-multitenant keeps the current tenant in a threading.local.

The middleware is the one that its documentation gives, which sets no tenant for the anonymous.
"""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import path

from tests.packages.project import *  # noqa: F403
from tests.packages.project import INSTALLED_APPS, SIGNED_IN, GetResponse, answer, look

ROOT_URLCONF = __name__
INSTALLED_APPS = [*INSTALLED_APPS, __name__]
MIDDLEWARE = [SIGNED_IN, f"{__name__}.of_tenant"]

urlpatterns = [path("leave", answer), path("look", look)]


def of_tenant(get_response: GetResponse) -> GetResponse:
    from django_multitenant.utils import set_current_tenant  # noqa: PLC0415 - needs the apps

    from .models import Shop  # noqa: PLC0415 - needs the apps

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if not request.user.is_anonymous:
            set_current_tenant(Shop.objects.get(name=request.user.get_username()))
        return get_response(request)

    return middleware


def prepare() -> None:
    from .models import Product, Shop  # noqa: PLC0415 - needs the apps

    for name in ("alice", "bob"):
        Product.objects.create(name=f"{name}'s shoe", shop=Shop.objects.create(name=name))


def found() -> str:
    """What somebody who belongs to no tenant is shown, unless it is everything."""
    from .models import Product  # noqa: PLC0415 - needs the apps

    names = [product.name for product in Product.objects.order_by("name")]
    return "" if len(names) == 2 else ", ".join(names)
