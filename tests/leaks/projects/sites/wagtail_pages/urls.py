from django.urls import include, path
from wagtail import urls as wagtail_urls
from wagtail.admin import urls as admin_urls
from wagtail.documents import urls as documents_urls

urlpatterns = [
    path("cms/", include(admin_urls)),
    path("documents/", include(documents_urls)),
    path("", include(wagtail_urls)),
]


def prepare() -> None:
    """A page at the site's root; wagtail's migrations have made the first three."""
    from wagtail.models import Page, Site  # noqa: PLC0415 - needs the apps

    from .models import HomePage  # noqa: PLC0415

    root = Page.get_first_root_node()
    home = root.add_child(instance=HomePage(title="Home", slug="books", body="<p>Read.</p>"))
    Site.objects.update(root_page=home)
