"""Classes of the shop: pages, a model, a form; and what is kept on them."""

from typing import Any, ClassVar

from django import forms
from django.contrib.auth.models import User
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views import View
from django.views.generic import TemplateView

from tests.leaks.gallery.visitors import address, agent, answer, correlation, person

# A list on a view's class; the twin's is on the view itself, which lives as long as its request.


class Article(View):
    recent: ClassVar[list[str]] = []  # defined: view-class

    def get(self, request: HttpRequest) -> HttpResponse:
        self.recent.append(correlation(request))  # put in: view-class
        return answer()


class ArticleOfRequest(View):
    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.recent: list[str] = []

    def get(self, request: HttpRequest) -> HttpResponse:
        self.recent.append(correlation(request))
        return answer()


# A model's class that knows the current instance; the twin's knows a name.


class Customer(models.Model):
    current: ClassVar["Customer | None"] = None  # defined: model-class
    table: ClassVar[str] = ""
    name = models.CharField(max_length=200)

    class Meta:
        app_label = "shop"
        managed = False

    def __str__(self) -> str:
        return self.name


def choose(request: HttpRequest) -> HttpResponse:
    Customer.current = Customer(name="somebody")  # put in: model-class
    return answer()


def choose_table(request: HttpRequest) -> HttpResponse:
    Customer.table = Customer(name="somebody")._meta.db_table
    return answer()


# The choices of a form's class; the twin's are those of the form.


class OrderForm(forms.Form):
    shop = forms.ChoiceField(choices=[("1", "Main Street")])  # defined: form-class


class OrderFormOfRequest(forms.Form):
    shop = forms.ChoiceField(choices=[("1", "Main Street")])


def order(request: HttpRequest) -> HttpResponse:
    field: Any = OrderForm.base_fields["shop"]
    field.choices.append((agent(request), "the visitor's"))  # put in: form-class
    return answer()


def order_of_request(request: HttpRequest) -> HttpResponse:
    form: Any = OrderFormOfRequest()
    form.fields["shop"].choices.append((agent(request), "the visitor's"))
    return answer()


# The keyword arguments of as_view(), which all requests share; the twin copies what it changes.


class About(TemplateView):
    template_name = "about.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        context: Any = self.extra_context
        context["visitors"].append(agent(request))  # put in: initkwargs
        return answer()


class AboutOfRequest(TemplateView):
    template_name = "about.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        context: Any = self.extra_context
        self.extra_context = {**context, "visitors": [*context["visitors"], agent(request)]}
        return answer()


about = About.as_view(extra_context={"visitors": []})  # defined: initkwargs
about_of_request = AboutOfRequest.as_view(extra_context={"visitors": []})


# A class's register of its instances; the twin's is of its subclasses.


class Offer:
    made: ClassVar[dict[str, "Offer"]] = {}  # defined: register

    def __init__(self, name: str) -> None:
        self.made[name] = self  # put in: register


class Kind:
    known: ClassVar[dict[str, "Kind"]] = {}

    def __init__(self, name: str) -> None:
        self.known.setdefault(name, self)


def offer(request: HttpRequest) -> HttpResponse:
    Offer(agent(request))
    return answer()


def offer_kind(request: HttpRequest) -> HttpResponse:
    Kind(str(request.method))
    return answer(agent(request))


# The user on a class; the twin keeps what kind of user it was.


class Till:
    cashier: ClassVar[Any] = None  # defined: user-on-class
    is_staffed: ClassVar[bool] = False


def cash(request: HttpRequest) -> HttpResponse:
    Till.cashier = person(request)  # put in: user-on-class
    return answer()


def cash_anonymously(request: HttpRequest) -> HttpResponse:
    Till.is_staffed = person(request).is_active
    return answer()


# Whoever asks, not looked up yet, on a class: it holds the whole request. The twin asks whether it
# is anybody known.


class Guest:
    last: ClassVar[Any] = None  # defined: lazy-user
    is_known: ClassVar[bool] = False


def greet_guest(request: HttpRequest) -> HttpResponse:
    Guest.last = request.user  # put in: lazy-user
    return answer()


def know_guest(request: HttpRequest) -> HttpResponse:
    Guest.is_known = request.user.is_authenticated
    return answer()


# A queryset on a class, which has fetched its rows; the twin's has not.


class Crowd:
    everybody: ClassVar[Any] = None  # defined: queryset
    anybody: ClassVar[Any] = None


def gather(request: HttpRequest) -> HttpResponse:
    own = person(request)
    Crowd.everybody = User.objects.filter(pk=own.pk)  # put in: queryset
    return answer(len(Crowd.everybody))


def gather_nobody(request: HttpRequest) -> HttpResponse:
    if Crowd.anybody is None:
        Crowd.anybody = User.objects.filter(is_active=True)
    return answer(Crowd.anybody.all().count())


# A metaclass that knows what was asked for; the twin's knows how often.


class Meta(type):
    asked: ClassVar[list[str]] = []  # defined: metaclass
    often: ClassVar[int] = 0

    def find(cls, name: str) -> str:
        cls.asked.append(name)  # put in: metaclass
        return name

    def count(cls) -> int:
        Meta.often += 1
        return Meta.often


class Shelf(metaclass=Meta):
    pass


def search(request: HttpRequest) -> HttpResponse:
    return answer(Shelf.find(address(request)))


def search_and_count(request: HttpRequest) -> HttpResponse:
    return answer(Shelf.count())


urlpatterns = [
    path("leak/view-class", Article.as_view()),
    path("clean/view-class", ArticleOfRequest.as_view()),
    path("leak/model-class", choose),
    path("clean/model-class", choose_table),
    path("leak/form-class", order),
    path("clean/form-class", order_of_request),
    path("leak/initkwargs", about),
    path("clean/initkwargs", about_of_request),
    path("leak/register", offer),
    path("clean/register", offer_kind),
    path("leak/lazy-user", greet_guest),
    path("clean/lazy-user", know_guest),
    path("leak/user-on-class", cash),
    path("clean/user-on-class", cash_anonymously),
    path("leak/queryset", gather),
    path("clean/queryset", gather_nobody),
    path("leak/metaclass", search),
    path("clean/metaclass", search_and_count),
]
