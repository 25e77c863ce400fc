"""What the project of middle size has of its own: its users, in the admin and by an API."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.urls import include, path
from rest_framework.routers import DefaultRouter
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import ModelViewSet


class UserSerializer(ModelSerializer):  # type: ignore[misc] # untyped
    class Meta:
        model = User
        fields = ("id", "username")


class UserViewSet(ModelViewSet):  # type: ignore[misc] # untyped
    queryset = User.objects.order_by("username")
    serializer_class = UserSerializer
    filterset_fields = ("username",)


router: Any = DefaultRouter()
router.register("users", UserViewSet)
urlpatterns = [path("admin/", admin.site.urls), path("api/", include(router.urls))]
