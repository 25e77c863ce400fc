from django.contrib import admin
from django.contrib.auth import get_user_model
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
]


def prepare() -> None:
    from oauth2_provider.models import Application  # noqa: PLC0415 - needs the apps

    Application.objects.create(
        name="a till",
        client_id="till",
        client_secret="secret",
        user=get_user_model().objects.get(),
        client_type="confidential",
        authorization_grant_type="client-credentials",
    )
    Application.objects.create(
        name="a reader",
        client_id="reader",
        user=get_user_model().objects.get(),
        client_type="public",
        authorization_grant_type="authorization-code",
        redirect_uris="http://reader.example/",
        algorithm="",
    )
