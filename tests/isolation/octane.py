"""A Django site of the stories that other keepers of applications tell: Octane, FrankenPHP,
RoadRunner. Its settings, URLs, views and applications.

OCTANE_LOG is the file to which its log is written, at last when the worker stops.
"""

import contextvars
import functools
import json
import locale
import logging
import os
import shutil
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from asgiref.local import Local
from django import forms
from django.conf import settings
from django.contrib.auth import login
from django.core.cache import cache
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone, translation
from django.utils.formats import localize
from django.views import View

from tests.applications import application_named

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SECRET_KEY = "for tests"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = __name__
USE_I18N = USE_TZ = True
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
INSTALLED_APPS = ["resident", "django.contrib.contenttypes", "django.contrib.auth"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    f"{__name__}.current_user",
    f"{__name__}.queued_cookies",
]
AUTHENTICATION_BACKENDS = [f"{__name__}.Directory"]
SESSION_ENGINE = "django.contrib.sessions.backends.cache"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
SHOP_NAME = "the shop"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {
        "file": {
            "class": "logging.FileHandler",
            "filename": os.environ.get("OCTANE_LOG", os.devnull),
            "delay": True,
        },
        "buffer": {
            "class": "logging.handlers.MemoryHandler",
            "capacity": 1000,
            "target": "file",
        },
    },
    "loggers": {"shop": {"handlers": ["buffer"], "level": "INFO"}},
}

WAIT_SECONDS = 20

T = TypeVar("T")
GetResponse = Callable[[HttpRequest], HttpResponseBase]

services = threading.local()
current = threading.local()
cookies = Local()
prices = Local()
customer: contextvars.ContextVar[str] = contextvars.ContextVar("customer", default="nobody")
log = logging.getLogger("shop")


def once(name: str, make: Callable[[], T]) -> T:
    """What is made at first use, as by a container that hands out services: one per thread."""
    if not hasattr(services, name):
        setattr(services, name, make())
    service: T = getattr(services, name)
    return service


def add_customer(record: logging.LogRecord) -> bool:
    record.customer = customer.get()
    return True


log.addFilter(add_customer)


def current_user(get_response: GetResponse) -> GetResponse:
    """Who it is, for models, which have no request."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.user.is_authenticated:
            current.user = request.user
        return get_response(request)

    return middleware


def queued_cookies(get_response: GetResponse) -> GetResponse:
    """Sends what a view has queued, and never empties the queue."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        for name, value in getattr(cookies, "queued", []):
            response.set_cookie(name, value)
        return response

    return middleware


class Directory:
    """Knows all customers by their number, without a database."""

    def get_user(self, user_id: int) -> "User":
        from django.contrib.auth.models import User  # noqa: PLC0415 - settings import no models

        user = User(pk=user_id, username=f"customer {user_id}")
        user.save = lambda *_, **__: None  # type: ignore[method-assign]
        return user


def user(request: HttpRequest) -> HttpResponse:
    if number := request.GET.get("login"):
        login(request, Directory().get_user(int(number)))
        current.user = request.user
    return HttpResponse(f"{request.user}, {getattr(current, 'user', 'nobody')}")


def session(request: HttpRequest) -> HttpResponse:
    kept = once("session", lambda: request.session)
    if secret := request.GET.get("secret"):
        kept["secret"] = secret
    end(request)
    return HttpResponse(kept.get("secret", "nothing"))


def end(request: HttpRequest) -> None:
    """End as the query says."""
    if request.GET.get("end") == "SystemExit":
        sys.exit()
    if request.GET.get("end") == "RuntimeError":
        raise RuntimeError("after it left something")


def cookie(request: HttpRequest) -> HttpResponse:
    if name := request.GET.get("queue"):
        cookies.queued = [*getattr(cookies, "queued", []), (name, "queued")]
    return HttpResponse()


def language(request: HttpRequest) -> HttpResponse:
    if name := request.GET.get("activate"):
        translation.activate(name)
    if name := request.GET.get("override"):
        translation.override(name).__enter__()
    return HttpResponse(f"{translation.gettext('Yes')} {localize(0.5)}")


def system_locale(request: HttpRequest) -> HttpResponse:
    return HttpResponse(locale.setlocale(locale.LC_CTYPE, request.GET.get("set")))


def time_zone(request: HttpRequest) -> HttpResponse:
    if name := request.GET.get("activate"):
        timezone.activate(name)
    return HttpResponse(f"{timezone.localtime():%Z}")


def configuration(request: HttpRequest) -> HttpResponse:
    if name := request.GET.get("write"):
        settings.SHOP_NAME = name
    return HttpResponse(settings.SHOP_NAME)  # type: ignore[misc] # the plugin reads other settings


def shared_cache(request: HttpRequest) -> HttpResponse:
    return HttpResponse(cache.get_or_set("customer", request.GET.get("customer", "nobody")))


def request_cache(request: HttpRequest) -> HttpResponse:
    """A price, asked for once in a request."""
    if not hasattr(prices, "shoe"):
        prices.shoe = f"for {request.GET.get('customer', 'nobody')}"
    return HttpResponse(prices.shoe)


class OrderForm(forms.Form):
    item = forms.CharField()


def form(request: HttpRequest) -> HttpResponse:
    bound = once("form", lambda: OrderForm(request.GET))
    return HttpResponse(bound["item"].value())


def current_request(request: HttpRequest) -> HttpResponse:
    """What a service that was given the request once says of it."""
    given = once("request", lambda: request)
    return HttpResponse(f"{given.get_full_path()}, {given.headers['Host']}")


class Counter:
    """A service that counts how often it was used."""

    def __init__(self) -> None:
        self.count = 0

    def use(self) -> int:
        self.count += 1
        return self.count


at_boot = Counter()
"""What the worker makes when it starts, for all requests."""


@functools.lru_cache
def catalogue() -> Counter:
    return Counter()


class CountingView(View):
    alive: ClassVar["weakref.WeakSet[CountingView]"] = weakref.WeakSet()

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.alive.add(self)
        self.counter = Counter()

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return HttpResponse(str(self.counter.use()))


class RememberedView(CountingView):
    """One that a service refers to."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        once("view", lambda: self)
        end(request)
        return super().get(request)


class StreamingView(CountingView):
    def get(self, request: HttpRequest) -> HttpResponseBase:
        once("view", lambda: self)
        return StreamingHttpResponse(self.steps(request))

    def steps(self, request: HttpRequest) -> Iterator[str]:
        end(request)
        yield str(self.counter.use())


def service(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(once("counter", Counter).use()))


def singletons(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"at boot": at_boot.use(), "lru_cache": catalogue().use()})


class Links:
    """A service that writes addresses of the site, as the request has it."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    def to(self, address: str) -> str:
        return self._request.build_absolute_uri(address)

    def next_page(self) -> str:
        page = Paginator(range(100), 10).get_page(self._request.GET.get("page"))
        return self.to(f"?page={page.next_page_number()}")


def links(request: HttpRequest) -> JsonResponse:
    service = once("links", lambda: Links(request))
    return JsonResponse({
        "reversed": reverse("links"),
        "of the request": request.build_absolute_uri("/basket"),
        "of the service": service.to("/basket"),
        "next page": service.next_page(),
    })  # fmt: skip


def redirects(request: HttpRequest) -> HttpResponse:
    return redirect(once("links", lambda: Links(request)).to(reverse("links")))


def logs(request: HttpRequest) -> HttpResponse:
    if name := request.GET.get("customer"):
        customer.set(name)
    log.info("visited")
    return HttpResponse("logged")


uploads: list[TemporaryUploadedFile] = []
"""Referred to, so that none is closed because nobody has it any more."""


def upload(request: HttpRequest) -> HttpResponse:
    file = request.FILES["file"]
    assert isinstance(file, TemporaryUploadedFile)
    uploads.append(file)
    if folder := request.GET.get("move"):
        shutil.move(file.temporary_file_path(), Path(folder, "kept"))
    end(request)
    return HttpResponse("uploaded")


def echo(request: HttpRequest) -> JsonResponse:
    """What was there, and what it leaves itself; others come meanwhile."""
    found = customer.get(), getattr(current, "user", "nobody")
    customer.set(request.GET["token"])
    current.user = request.GET["token"]
    time.sleep(0.002)
    left = customer.get(), current.user
    return JsonResponse({"found": found, "left": left, "worker": os.getpid()})


def slow(request: HttpRequest) -> StreamingHttpResponse:
    """It has begun to answer, and answers in full once a file is there."""
    memory = bytearray(int(request.GET["megabytes"]) << 20)

    def steps() -> Iterator[str]:
        yield json.dumps({"worker": os.getpid(), "megabytes": len(memory) >> 20})
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline and not Path(request.GET["until"]).exists():
            time.sleep(0.01)
        yield "\nin full"

    return StreamingHttpResponse(steps())


urlpatterns = [
    path("user", user),
    path("session", session),
    path("cookie", cookie),
    path("language", language),
    path("locale", system_locale),
    path("time-zone", time_zone),
    path("configuration", configuration),
    path("shared-cache", shared_cache),
    path("request-cache", request_cache),
    path("form", form),
    path("request", current_request),
    path("view", CountingView.as_view()),
    path("remembered-view", RememberedView.as_view()),
    path("streaming-view", StreamingView.as_view()),
    path("service", service),
    path("singletons", singletons),
    path("links", links, name="links"),
    path("redirects", redirects),
    path("logs", logs),
    path("upload", upload),
    path("echo", echo),
    path("slow", slow),
]


__getattr__ = application_named
