"""django-simple-history keeps the current request in one of asgiref's Locals."""

from django.urls import path

from tests.packages.project import *  # noqa: F403
from tests.packages.project import INSTALLED_APPS, LOOK_EARLY, SIGNED_IN, leave_by_exit

ROOT_URLCONF = __name__
INSTALLED_APPS = [*INSTALLED_APPS, "simple_history", __name__]
MIDDLEWARE = [LOOK_EARLY, SIGNED_IN, "simple_history.middleware.HistoryRequestMiddleware"]

urlpatterns = [path("leave", leave_by_exit)]


def found() -> str:
    """Whom the next change is booked on."""
    from .models import Product  # noqa: PLC0415 - needs the apps

    product = Product(name="a shoe")
    product.save()
    user = product.history.get().history_user
    return str(user.username) if user else ""
