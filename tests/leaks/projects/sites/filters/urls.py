from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Layout, Submit
from django.urls import path
from django_filters import FilterSet
from django_filters.views import FilterView
from django_tables2 import Table
from django_tables2.views import SingleTableMixin

from tests.leaks.projects.library.models import Book, fill


class BookFilter(FilterSet):
    class Meta:
        model = Book
        fields = ("title", "author", "published")

    @property
    def form(self) -> Any:
        form = super().form
        form.helper = FormHelper()
        form.helper.form_method = "get"
        form.helper.layout = Layout(*form.fields, Submit("", "Search"))
        return form


class BookTable(Table):
    class Meta:
        model = Book


class Books(SingleTableMixin, FilterView):
    table_class = BookTable
    filterset_class = BookFilter
    template_name = "books.html"


urlpatterns = [path("books/", Books.as_view())]

prepare = fill
