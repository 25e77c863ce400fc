"""What each layer adds to a request, without a server around it: see README.md beside this file."""

import argparse
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
# A script's own folder comes first, and greeting.py there would hide the package `greeting`.
sys.path[0] = str(ROOT)

try:
    import django
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler
    from django.test.utils import override_settings
    from django.utils.module_loading import import_string

    from benchmarks import report
    from resident.conf import RESETTERS
    from resident.handler import Handler
    from resident.isolation import process
    from resident.isolation.context import IsolatedApplication
    from resident.isolation.resetters import Resetters
    from resident.isolation.watches import Watch, watches
    from resident.worker import worker
except ImportError as missing:
    raise SystemExit(f"{missing.name} is missing: pip install -e '.[dev,benchmarks]'") from missing

FEATURES = """
version: "1.4"
namespace: default
flags:
  - {key: show_reverse_greeting, name: Constant, type: BOOLEAN_FLAG_TYPE, enabled: true}
  - key: half
    name: Half
    type: BOOLEAN_FLAG_TYPE
    enabled: false
    rollouts: [{threshold: {percentage: 50, value: true}}]
"""

ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "project.settings",
    "SECRET_KEY": "of-a-benchmark",
    "DEBUG": "false",
    "ALLOWED_HOSTS": "127.0.0.1",
    # Empty, so that a file .env does not set them.
    "VAULT_ADDR": "",
    "VAULT_HOST": "",
    "FLIPT_API_HOST": "",
}

REQUEST = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "QUERY_STRING": "",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "127.0.0.1",
    "HTTP_HOST": "127.0.0.1",
    "HTTP_ACCEPT": "*/*",
    "HTTP_USER_AGENT": "benchmark",
    "wsgi.url_scheme": "http",
    "wsgi.input": io.BytesIO(),
    "wsgi.errors": sys.stderr,
}

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True)
class Layer:
    """The way of a request with one thing more on it than on that of the layer `on`."""

    name: str
    on: int
    application: Application
    view: Callable[..., Any]


def layers() -> list[Layer]:
    """From bare Django to this project, and on to flags that have more to decide."""
    others = [path for path in settings.MIDDLEWARE if not path.startswith("resident.")]
    with override_settings(MIDDLEWARE=others):
        bare, handler = WSGIHandler(), Handler()
    plain = import_string("benchmarks.variants.bare.greet")

    def isolated(*resetters: str) -> Application:
        return IsolatedApplication(handler, Resetters(resetters))

    *all_but_process, process = RESETTERS
    whole = IsolatedApplication(Handler())
    return [
        Layer("0  bare Django", 0, bare, plain),
        Layer("1  0 + a context of its own", 0, isolated(), plain),
        *(Layer(f"   1 + {_name(path)}", 1, isolated(path), plain) for path in RESETTERS),
        Layer(f"2  1 + all resetters but {_name(process)}", 1, isolated(*all_but_process), plain),
        Layer(f"3  2 + {_name(process)}", 2 + len(RESETTERS), isolated(*RESETTERS), plain),
        Layer("4  3 + ResetStateMiddleware", 3 + len(RESETTERS), whole, plain),
        *(
            Layer(f"{number}  4 + {name}", 4 + len(RESETTERS), whole, import_string(view))
            for number, name, view in FLAGS
        ),
    ]


def profile() -> list[Layer]:
    """The watch over the process's state, with one kind of state at a time."""
    plain = import_string("benchmarks.variants.bare.greet")

    def watching(*watched: Watch) -> Application:
        with mock.patch.object(process, "watches", return_value=list(watched)):
            return IsolatedApplication(Handler(), Resetters([RESETTERS[-1]]))

    return [
        Layer("none of it", 0, watching(), plain),
        *(Layer(type(watch).__name__, 0, watching(watch), plain) for watch in watches()),
        Layer("all of it", 0, watching(*watches()), plain),
    ]


FLAGS = [
    (5, "flag_enabled, a constant: this project", "greeting.views.greet"),
    (6, "flag_enabled, 50 % of given ids", "benchmarks.variants.layers.greet_half_of_ids"),
    (7, "flag_enabled, 50 % of users", "benchmarks.variants.layers.greet_half_of_users"),
]


def _name(path: str) -> str:
    return path.rpartition(".")[2]


def measured(layers: Sequence[Layer], rounds: int, requests: int) -> list[list[float]]:
    """Microseconds per request: a list for each layer, of what each round saw."""
    seen: list[list[float]] = [[] for _ in layers]
    for number in range(1 + rounds):
        for layer, figures in zip(layers, seen, strict=True):
            figure = microseconds(layer, requests)
            if number:  # the first round warms up
                figures.append(figure)
    return seen


def microseconds(layer: Layer, requests: int) -> float:
    """What one of so many requests takes."""
    began = time.perf_counter_ns()
    for _ in range(requests):
        ask(layer, REQUEST.copy())
    return (time.perf_counter_ns() - began) / requests / 1000


def ask(layer: Layer, environ: dict[str, Any]) -> str:
    """One request, as a server makes it; gives status and body."""
    said: list[str] = []
    environ["benchmark.view"] = layer.view
    response = layer.application(environ, lambda status, *_: said.append(status))
    body = b"".join(response)
    response.close()  # type: ignore[attr-defined] # Django's responses have one
    return f"{said[0]} {body.decode()}"


def table(first: str, layers: Sequence[Layer], seen: Sequence[Sequence[float]]) -> str:
    """The median of the rounds; differences are taken within each round."""
    rows = [
        [
            layer.name,
            f"{statistics.median(figures):.2f}",
            f"{difference(figures, seen[layer.on]):+.2f}",
            f"{difference(figures, seen[0]):+.2f}",
        ]
        for layer, figures in zip(layers, seen, strict=True)
    ]
    return report.table(["layer", "µs a request", "it adds", f"over {first}"], rows)


def difference(one: Sequence[float], other: Sequence[float]) -> float:
    return statistics.median(a - b for a, b in zip(one, other, strict=True))


@contextmanager
def project() -> Iterator[None]:
    """The project, set up to serve the flags above from a file."""
    with tempfile.TemporaryDirectory() as folder:
        features = Path(folder, "features.yml")
        features.write_text(FEATURES)
        os.environ.update(ENVIRONMENT, FLIPT_FEATURES=str(features))
        worker.serves = True
        django.setup()
        with override_settings(ROOT_URLCONF="benchmarks.variants.layers"):
            yield
        worker.close()


def arguments() -> argparse.Namespace:
    parser = report.parser("inprocess", __doc__)
    parser.add_argument("--rounds", type=int, default=100, help="default: %(default)s")
    parser.add_argument(
        "--requests", type=int, default=200, help="of each layer in a round; default: %(default)s"
    )
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    with project():
        stack = layers()
        for layer in stack:
            report.say(f"{layer.name}: {ask(layer, REQUEST.copy())}")
        seen = measured(stack, asked.rounds, asked.requests)
        watched = profile()
        of_watches = measured(watched, asked.rounds, asked.requests)
    text = f"""\
What each layer adds to a request, in process: no server, no network.
{report.machine()}
Medians of {asked.rounds} rounds of {asked.requests} requests to each layer in turn; differences
are taken within each round.

{table("bare Django", stack, seen)}

{process.ProcessState.__name__}, by what it looks at:

{table("none of it", watched, of_watches)}"""
    report.publish("inprocess", text, keep=asked.output)


if __name__ == "__main__":
    main()
