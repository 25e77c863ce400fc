"""Include as `path("health/", include("resident.urls"))`."""

from django.urls import path

from resident import health

app_name = "resident"

urlpatterns = [
    path("live", health.live, name="live"),
    path("ready", health.ready, name="ready"),
]
