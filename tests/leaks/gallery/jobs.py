"""What goes on behind the requests: threads, files, sockets."""

import os
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.leaks.gallery.visitors import address, agent, answer

PRICE_LIST = Path(__file__).with_name("price_list.csv")

# A thread that goes on; the twin's has ended.

closing = threading.Event()


def poll() -> None:  # defined: thread
    while not closing.is_set():
        time.sleep(0.5)


def look_once() -> None:
    PRICE_LIST.exists()


def start(request: HttpRequest) -> HttpResponse:
    threading.Thread(target=poll, daemon=True).start()  # put in: thread
    return answer()


def start_and_wait(request: HttpRequest) -> HttpResponse:
    thread = threading.Thread(target=look_once)
    thread.start()
    thread.join()
    return answer()


# A timer that waits for tomorrow; the twin's is cancelled.


def remind() -> None:  # defined: timer
    PRICE_LIST.exists()


def wait_for_tomorrow(request: HttpRequest) -> HttpResponse:
    timer = threading.Timer(86400, remind)
    timer.daemon = True
    timer.start()  # put in: timer
    return answer()


def wait_for_nothing(request: HttpRequest) -> HttpResponse:
    timer = threading.Timer(86400, remind)
    timer.start()
    timer.cancel()
    timer.join()
    return answer()


# A file that stays open; the twin's is closed.


def read(request: HttpRequest) -> HttpResponse:
    file = os.open(PRICE_LIST, os.O_RDONLY)  # defined: open-file; put in: open-file
    return answer(os.read(file, 5))


def read_and_close(request: HttpRequest) -> HttpResponse:
    with PRICE_LIST.open() as file:
        return answer(file.read(5))


# A temporary file that stays open, by the visitor's name; the twin's is closed.


def export(request: HttpRequest) -> HttpResponse:
    name = Path(tempfile.gettempdir(), f"shop-{address(request)}.csv")
    os.open(name, os.O_CREAT | os.O_WRONLY)  # defined: file-by-name; put in: file-by-name
    return answer()


def export_and_close(request: HttpRequest) -> HttpResponse:
    with tempfile.NamedTemporaryFile(prefix=f"shop-{address(request)}-") as file:
        return answer(file.write(b"apple"))


# Temporary files in a list; the twin's list is of their sizes, and it is bounded.

EXPORTS: list[IO[bytes]] = []  # defined: kept-file
SIZE_OF_EXPORT = 0


def keep_export(request: HttpRequest) -> HttpResponse:
    EXPORTS.append(tempfile.TemporaryFile())  # put in: kept-file
    return answer()


def keep_size_of_export(request: HttpRequest) -> HttpResponse:
    global SIZE_OF_EXPORT
    with tempfile.TemporaryFile() as file:
        SIZE_OF_EXPORT = file.write(agent(request).encode())
    return answer()


# A socket that nobody closes; the twin's is closed.


def listen(request: HttpRequest) -> HttpResponse:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).detach()  # defined: socket; put in: socket
    return answer()


def listen_and_close(request: HttpRequest) -> HttpResponse:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        return answer(ear.fileno())


# A pipe that nobody closes; the twin's is closed.


def ask(request: HttpRequest) -> HttpResponse:
    reading, _ = os.pipe2(os.O_NONBLOCK)  # defined: pipe; put in: pipe
    return answer(os.get_blocking(reading))


def ask_and_close(request: HttpRequest) -> HttpResponse:
    ends = os.pipe2(os.O_NONBLOCK)
    for end in ends:
        os.close(end)
    return answer(len(ends))


urlpatterns = [
    path("leak/thread", start),
    path("clean/thread", start_and_wait),
    path("leak/timer", wait_for_tomorrow),
    path("clean/timer", wait_for_nothing),
    path("leak/open-file", read),
    path("clean/open-file", read_and_close),
    path("leak/file-by-name", export),
    path("clean/file-by-name", export_and_close),
    path("leak/kept-file", keep_export),
    path("clean/kept-file", keep_size_of_export),
    path("leak/socket", listen),
    path("clean/socket", listen_and_close),
    path("leak/pipe", ask),
    path("clean/pipe", ask_and_close),
]
