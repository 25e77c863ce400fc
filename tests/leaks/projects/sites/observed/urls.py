import sentry_sdk
import structlog
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.leaks.projects.library.models import Book, fill

admin.site.register(Book)
logger = structlog.get_logger(__name__)


def books(request: HttpRequest) -> HttpResponse:
    with sentry_sdk.start_span(op="count", name="books"):
        count = Book._default_manager.count()
    sentry_sdk.set_tag("books", count)
    logger.info("counted", count=count)
    sentry_sdk.capture_message("counted")
    return HttpResponse(f"{count} books")


urlpatterns = [path("admin/", admin.site.urls), path("books/", books)]

prepare = fill
