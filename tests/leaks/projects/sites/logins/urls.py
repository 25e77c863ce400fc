from django.contrib import admin
from django.urls import include, path
from two_factor.urls import urlpatterns as two_factor_urls

urlpatterns = [path("admin/", admin.site.urls), path("", include(two_factor_urls))]
