"""Each leak's page, and its twin's."""

from django.urls import include, path

from tests.leaks.gallery import (
    basket,
    bells,
    catalogue,
    figures,
    history,
    jobs,
    middleware,
    pricing,
    process,
    searching,
    shop_tags,
    state,
    tenancy,
)

urlpatterns = [
    path("", include(module.urlpatterns))
    for module in (
        basket,
        bells,
        catalogue,
        history,
        jobs,
        middleware,
        pricing,
        process,
        searching,
        shop_tags,
        state,
        figures,
        tenancy,
    )
]
