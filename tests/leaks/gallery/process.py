"""What a request changes for the whole process."""

import atexit
import contextlib
import gc
import itertools
import locale
import os
import socket
import sys
import tempfile
import time
import warnings
from functools import cache
from types import ModuleType
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.leaks.gallery.visitors import agent, answer, correlation

# The environment, by a name that stands in the source; the twin's is taken out again.


def set_tenant(request: HttpRequest) -> HttpResponse:
    os.environ["SHOP_TENANT"] = agent(request)  # defined: environment; put in: environment
    return answer()


def set_tenant_for_now(request: HttpRequest) -> HttpResponse:
    os.environ["SHOP_TENANT_FOR_NOW"] = agent(request)
    del os.environ["SHOP_TENANT_FOR_NOW"]
    return answer()


# By a name of the visitor's; the twin's is put in a copy.


def set_flag(request: HttpRequest) -> HttpResponse:
    os.environ[f"SHOP_{correlation(request)}"] = "1"  # defined: variables; put in: variables
    return answer()


def set_flag_in_copy(request: HttpRequest) -> HttpResponse:
    return answer(len({**os.environ, f"SHOP_{correlation(request)}": "1"}))


# The working directory; the twin's is the old one again.


def go(request: HttpRequest) -> HttpResponse:
    os.chdir(tempfile.gettempdir())  # defined: folder; put in: folder
    return answer()


def go_and_return(request: HttpRequest) -> HttpResponse:
    with contextlib.chdir(tempfile.gettempdir()):
        return answer()


# The umask; the twin's is the old one again.


def hide(request: HttpRequest) -> HttpResponse:
    os.umask(0o077)  # defined: umask; put in: umask
    return answer()


def hide_for_now(request: HttpRequest) -> HttpResponse:
    before = os.umask(0o077)
    os.umask(before)
    return answer()


# The locale; the twin only asks.


def localize(request: HttpRequest) -> HttpResponse:
    locale.setlocale(locale.LC_TIME, "C.UTF-8")  # defined: locale; put in: locale
    return answer()


def ask_locale(request: HttpRequest) -> HttpResponse:
    return answer(locale.setlocale(locale.LC_TIME))


# The sockets' timeout; the twin's is one socket's.


def hurry(request: HttpRequest) -> HttpResponse:
    socket.setdefaulttimeout(7.5)  # defined: timeout; put in: timeout
    return answer()


def hurry_once(request: HttpRequest) -> HttpResponse:
    with socket.socket() as ear:
        ear.settimeout(7.5)
        return answer()


# The warnings filters; the twin's are put back.


def ignore(request: HttpRequest) -> HttpResponse:
    warnings.filterwarnings("ignore", module="shop")  # defined: warnings; put in: warnings
    return answer()


def ignore_for_now(request: HttpRequest) -> HttpResponse:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="shop")
        return answer()


# sys.path; the twin's entry is taken out again.


def find_plugins(request: HttpRequest) -> HttpResponse:
    sys.path.append(f"/shop/{correlation(request)}")  # defined: sys-path; put in: sys-path
    return answer()


def find_plugins_for_now(request: HttpRequest) -> HttpResponse:
    sys.path.append(f"/shop/{correlation(request)}")
    sys.path.pop()
    return answer()


# Django's settings; the twin's attribute is deleted.


def configure(request: HttpRequest) -> HttpResponse:
    settings.SHOP_TENANT = agent(request)  # defined: settings; put in: settings
    return answer()


def configure_for_now(request: HttpRequest) -> HttpResponse:
    settings.SHOP_TENANT_FOR_NOW = agent(request)
    delattr(settings, "SHOP_TENANT_FOR_NOW")
    return answer()


# A handler at the process's exit; the twin's is registered once.


def close_till() -> None:
    """Lock it."""


@cache
def close_other_till_later() -> None:
    atexit.register(gc.collect)


def close_later(request: HttpRequest) -> HttpResponse:
    atexit.register(close_till)  # defined: exit-handler; put in: exit-handler
    return answer()


def close_once(request: HttpRequest) -> HttpResponse:
    close_other_till_later()
    return answer()


# A module for each request; the twin's is taken out again.


def plug_in(request: HttpRequest) -> HttpResponse:
    name = f"shop_plugin_{correlation(request)}"
    sys.modules[name] = ModuleType(name)  # defined: modules; put in: modules
    return answer()


def plug_in_for_now(request: HttpRequest) -> HttpResponse:
    name = f"shop_plugin_{correlation(request)}"
    sys.modules[name] = ModuleType(name)
    del sys.modules[name]
    return answer()


# A callback of the garbage collector; the twin's is always the same.


def tell(phase: str, info: dict[str, Any]) -> None:
    """Count it."""


def tell_of_collections(request: HttpRequest) -> HttpResponse:
    gc.callbacks.append(lambda *it: None)  # defined: gc-callback; put in: gc-callback
    return answer()


def tell_of_collections_once(request: HttpRequest) -> HttpResponse:
    if tell not in gc.callbacks:
        gc.callbacks.append(tell)
    return answer()


# The recursion limit; the twin's is the old one again.


def dig(request: HttpRequest) -> HttpResponse:
    sys.setrecursionlimit(4321)  # defined: recursion; put in: recursion
    return answer()


def dig_for_now(request: HttpRequest) -> HttpResponse:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(4321)
    sys.setrecursionlimit(before)
    return answer()


# A list among the settings that grows; the twin only asks it for its length.

hours = itertools.count(9)


def open_hours(request: HttpRequest) -> HttpResponse:
    own: Any = settings
    own.SHOP_HOURS.append(next(hours))  # put in: in-settings
    return answer()


def open_till(request: HttpRequest) -> HttpResponse:
    own: Any = settings
    return answer(len(own.SHOP_HOURS) + int(time.time()))


urlpatterns = [
    path("leak/environment", set_tenant),
    path("clean/environment", set_tenant_for_now),
    path("leak/variables", set_flag),
    path("clean/variables", set_flag_in_copy),
    path("leak/folder", go),
    path("clean/folder", go_and_return),
    path("leak/umask", hide),
    path("clean/umask", hide_for_now),
    path("leak/locale", localize),
    path("clean/locale", ask_locale),
    path("leak/timeout", hurry),
    path("clean/timeout", hurry_once),
    path("leak/warnings", ignore),
    path("clean/warnings", ignore_for_now),
    path("leak/sys-path", find_plugins),
    path("clean/sys-path", find_plugins_for_now),
    path("leak/settings", configure),
    path("clean/settings", configure_for_now),
    path("leak/exit-handler", close_later),
    path("clean/exit-handler", close_once),
    path("leak/modules", plug_in),
    path("clean/modules", plug_in_for_now),
    path("leak/gc-callback", tell_of_collections),
    path("clean/gc-callback", tell_of_collections_once),
    path("leak/recursion", dig),
    path("clean/recursion", dig_for_now),
    path("leak/in-settings", open_hours),
    path("clean/in-settings", open_till),
]
