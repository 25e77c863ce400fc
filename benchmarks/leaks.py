"""What looking for leaks costs: see README.md beside this file."""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# A script's own folder comes first, and greeting.py there would hide the package `greeting`.
sys.path[0] = str(ROOT)

try:
    import django
    from django.conf import settings
    from django.core.management import call_command
    from django.test import Client, RequestFactory
    from django.test.utils import override_settings

    from benchmarks import report
    from resident.handler import Handler
    from resident.isolation.context import IsolatedApplication
    from resident.leaks.journal import journal
except ImportError as missing:
    raise SystemExit(f"{missing.name} is missing: pip install -e '.[dev,benchmarks]'") from missing

ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "project.settings",
    "SECRET_KEY": "of-a-benchmark",
    "DEBUG": "true",
    "ALLOWED_HOSTS": "127.0.0.1",
    # Empty, so that a file .env does not set them.
    "VAULT_ADDR": "",
    "VAULT_HOST": "",
    "FLIPT_API_HOST": "",
}
RESET_STATE = "resident.middleware.ResetStateMiddleware"
LEAK_DETECTION = "resident.middleware.LeakDetectionMiddleware"
PAGE = "/admin/auth/user/"
USERS = 25

Application = Callable[[dict[str, Any], Callable[..., Any]], Any]


@dataclass
class Variant:
    """The project with or without the middleware, and what its requests took, in milliseconds."""

    name: str
    debug: bool
    middleware: list[str]
    rounds: list[float] = field(default_factory=list)
    application: Application | None = None

    def serve(self, environ: dict[str, Any], requests: int, *, counts: bool) -> None:
        """So many requests; the middleware stands where its documentation puts it."""
        _, *others = [path for path in settings.MIDDLEWARE if path != LEAK_DETECTION]
        middleware = [RESET_STATE, *self.middleware, *others]
        with override_settings(DEBUG=self.debug, MIDDLEWARE=middleware):
            if self.application is None:
                self.application = IsolatedApplication(Handler())
            took = [milliseconds(self.application, environ) for _ in range(requests)]
        if counts:
            self.rounds.append(statistics.fmean(took))


def variants() -> list[Variant]:
    return [
        Variant("DEBUG on, without it", debug=True, middleware=[]),
        Variant("DEBUG on, without it again", debug=True, middleware=[]),
        Variant("DEBUG on, with it", debug=True, middleware=[LEAK_DETECTION]),
        Variant("DEBUG off, without it", debug=False, middleware=[]),
        Variant("DEBUG off, with it", debug=False, middleware=[LEAK_DETECTION]),
    ]


def milliseconds(application: Application, environ: dict[str, Any]) -> float:
    """What one request takes of the processor, from its environ until its response is closed."""
    said: list[str] = []
    began = time.thread_time_ns()
    response = application(environ.copy(), lambda status, *_: said.append(status))
    b"".join(response)
    response.close()
    took = (time.thread_time_ns() - began) / 1e6
    if said != ["200 OK"]:
        raise SystemExit(f"{PAGE} answers {said[0]}.")
    return took


def middleware(rounds: int, requests: int) -> str:
    """What LeakDetectionMiddleware adds to a page of the admin, where DEBUG is on, and off."""
    journal.clear()
    measured = variants()
    with admin_page() as environ:
        for number in range(1 + rounds):
            report.say(f"{PAGE}, round {number} of {rounds}")
            for variant in rotated(measured, number):
                variant.serve(environ, requests, counts=number > 0)
    rows = [
        [
            variant.name,
            f"{statistics.fmean(variant.rounds):.2f}",
            f"{difference(variant, base):+.2f}",
            f"{ratio(variant, base):.3f}",
        ]
        for variant, base in zip(measured, bases(measured), strict=True)
    ]
    header = ["", "ms a request", "it adds", "ratio"]
    return f"""\
LeakDetectionMiddleware, on the list of {USERS} users in the admin, in process: no server.
Means of {rounds} rounds of {requests} requests to each in turn, in time of the processor: the
thorough looks count, which come now and then. "it adds" and "ratio" compare with the first that
has the same DEBUG.
It looked after {journal.requests} requests, and found {len(journal.entries())} leaks.

{report.table(header, rows)}

Modules of resident.leaks that a server loads which lists it, DEBUG on: {loaded(debug=True)}, \
off: {loaded(debug=False)}."""


def rotated(measured: Sequence[Variant], number: int) -> Sequence[Variant]:
    # Whoever comes first may find the machine another one.
    start = number % len(measured)
    return [*measured[start:], *measured[:start]]


def bases(measured: Sequence[Variant]) -> list[Variant]:
    """What each is compared with: the first with the same DEBUG."""
    return [next(it for it in measured if it.debug == variant.debug) for variant in measured]


def difference(one: Variant, other: Variant) -> float:
    return statistics.fmean(a - b for a, b in zip(one.rounds, other.rounds, strict=True))


def ratio(one: Variant, other: Variant) -> float:
    return statistics.fmean(one.rounds) / statistics.fmean(other.rounds)


LOADED = """
import sys, django
from django.conf import settings
settings.configure(MIDDLEWARE=["resident.middleware.LeakDetectionMiddleware"], DEBUG={debug})
django.setup()
from django.core.handlers.wsgi import WSGIHandler
WSGIHandler()
print(len([name for name in sys.modules if name.startswith("resident.leaks")]))
"""


def loaded(*, debug: bool) -> int:
    """How many modules of the finder a process has loaded when its middleware are made."""
    command = [sys.executable, "-c", LOADED.format(debug=debug)]
    return int(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)


@contextmanager
def admin_page() -> Iterator[dict[str, Any]]:
    """The environ of a request for the list of users, by somebody who may see it."""
    from django.contrib.auth.models import User  # noqa: PLC0415 - after django.setup()

    User.objects.bulk_create(User(username=f"user-{number}") for number in range(1, USERS))
    client = Client()
    client.force_login(User.objects.create_superuser("chris"))
    cookie = client.cookies.output(header="", sep=";").strip()
    yield RequestFactory().get(PAGE, SERVER_NAME="127.0.0.1", HTTP_COOKIE=cookie).environ


@contextmanager
def project() -> Iterator[None]:
    """The project, set up as for development, with a new database."""
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{Path(folder, 'db.sqlite3')}"
        os.environ.update(ENVIRONMENT, DATABASE_URL=database)
        django.setup()
        call_command("migrate", verbosity=0)
        yield


def arguments() -> argparse.Namespace:
    parser = report.parser("leaks", __doc__)
    parser.add_argument("--rounds", type=int, default=20, help="default: %(default)s")
    parser.add_argument(
        "--requests", type=int, default=50, help="of each variant in a round; default: %(default)s"
    )
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    with project():
        parts = [middleware(asked.rounds, asked.requests)]
    text = "\n\n".join(["What looking for leaks costs.", report.machine(), *parts])
    report.publish("leaks", text, keep=asked.output)


if __name__ == "__main__":
    main()
