from django.contrib import admin
from django.urls import path
from simple_history.admin import SimpleHistoryAdmin

from .models import Loan

admin.site.register(Loan, SimpleHistoryAdmin)

urlpatterns = [path("admin/", admin.site.urls)]


def prepare() -> None:
    loan = Loan._default_manager.create(title="The Dispossessed")
    loan.title = "The Lathe of Heaven"
    loan.save()
