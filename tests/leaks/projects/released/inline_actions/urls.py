from django.contrib import admin
from django.http import HttpRequest
from django.urls import path
from inline_actions.admin import InlineActionsModelAdminMixin

from tests.leaks.projects.library.models import Book, fill


class BookAdmin(InlineActionsModelAdminMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("title", "author")
    inline_actions = ("lend",)

    def lend(self, request: HttpRequest, book: Book, parent_obj: object = None) -> None:
        self.message_user(request, f"{book} is lent.")


admin.site.register(Book, BookAdmin)

urlpatterns = [path("admin/", admin.site.urls)]

prepare = fill
