"""django-tenants keeps the current tenant, and so the schema, on the database connection."""

from django.db import connection
from django.urls import path

from tests.packages.project import *  # noqa: F403
from tests.packages.project import DATABASES, INSTALLED_APPS, LOOK_EARLY, answer

ROOT_URLCONF = __name__
DATABASES = {"default": {**DATABASES["default"], "ENGINE": "django_tenants.postgresql_backend"}}
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
SHARED_APPS = ["django_tenants", __name__, *INSTALLED_APPS]
TENANT_APPS = ["django.contrib.contenttypes"]
INSTALLED_APPS = SHARED_APPS
TENANT_MODEL = "tenants.Shop"
TENANT_DOMAIN_MODEL = "tenants.Domain"
TENANT_LIMIT_SET_CALLS = True
MIDDLEWARE = [LOOK_EARLY, "django_tenants.middleware.main.TenantMainMiddleware"]

urlpatterns = [path("leave", answer)]


def prepare() -> None:
    from .models import Domain, Shop  # noqa: PLC0415 - needs the apps

    for name in ("public", "alice"):
        shop = Shop.objects.create(schema_name=name)
        Domain.objects.create(domain=f"{name}.shop.example", tenant=shop, is_primary=True)


def found() -> str:
    """Whose tables the next query reads."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        (schema,) = cursor.fetchone() or ("",)
    assert schema == connection.schema_name  # type: ignore[attr-defined]
    return "" if schema == "public" else str(schema)
