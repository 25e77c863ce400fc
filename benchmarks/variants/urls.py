"""The project's URLs; VARIANT in the environment names the module beside this one with the view."""

import os

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include(f"benchmarks.variants.{os.environ['VARIANT']}")),
    path("admin/", admin.site.urls),
]
