from django.db import models
from django_multitenant.models import TenantModel


class Shop(TenantModel):
    name = models.CharField(max_length=50)

    class TenantMeta:
        tenant_field_name = "id"

    def __str__(self) -> str:
        return self.name


class Product(TenantModel):
    name = models.CharField(max_length=50)
    shop = models.ForeignKey(Shop, models.CASCADE)

    class TenantMeta:
        tenant_field_name = "shop_id"

    def __str__(self) -> str:
        return self.name
