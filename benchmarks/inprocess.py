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
    from resident.isolation.context import IsolatedApplication
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
        bare = WSGIHandler()
    isolated, whole = IsolatedApplication(bare), IsolatedApplication(WSGIHandler())
    plain = import_string("benchmarks.variants.bare.greet")
    greet = import_string("greeting.views.greet")
    half_of_ids = import_string("benchmarks.variants.layers.greet_half_of_ids")
    half_of_users = import_string("benchmarks.variants.layers.greet_half_of_users")
    return [
        Layer("0  bare Django", 0, bare, plain),
        Layer("1  0 + IsolatedApplication", 0, isolated, plain),
        Layer("2  1 + ResetStateMiddleware", 1, whole, plain),
        Layer("3  2 + flag_enabled, a constant: this project", 2, whole, greet),
        Layer("4  2 + flag_enabled, 50 % of given ids", 2, whole, half_of_ids),
        Layer("5  2 + flag_enabled, 50 % of users", 2, whole, half_of_users),
    ]


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


def table(layers: Sequence[Layer], seen: Sequence[Sequence[float]]) -> str:
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
    return report.table(["layer", "µs a request", "it adds", "over bare Django"], rows)


def difference(one: Sequence[float], other: Sequence[float]) -> float:
    return statistics.median(a - b for a, b in zip(one, other, strict=True))


@contextmanager
def project() -> Iterator[None]:
    """The project, set up to serve the flags above from a file."""
    with tempfile.TemporaryDirectory() as folder:
        features = Path(folder, "features.yml")
        features.write_text(FEATURES)
        os.environ.update(ENVIRONMENT, FLIPT_FEATURES=str(features))
        django.setup()
        with override_settings(ROOT_URLCONF="benchmarks.variants.layers"):
            yield
        worker.close()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--output",
        action="store_true",
        help="also keep what is printed in benchmarks/inprocess.txt and benchmarks/README.md",
    )
    parser.add_argument("--rounds", type=int, default=100, help="default: %(default)s")
    parser.add_argument(
        "--requests", type=int, default=200, help="of each layer in a round; default: %(default)s"
    )
    return parser.parse_args()


def say(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


def main() -> None:
    asked = arguments()
    with project():
        stack = layers()
        for layer in stack:
            say(f"{layer.name}: {ask(layer, REQUEST.copy())}")
        seen = measured(stack, asked.rounds, asked.requests)
    text = f"""\
What each layer adds to a request, in process: no server, no network.
{report.machine()}
Medians of {asked.rounds} rounds of {asked.requests} requests to each layer in turn; differences
are taken within each round.

{table(stack, seen)}"""
    print(text)
    if asked.output:
        report.keep("inprocess", text)


if __name__ == "__main__":
    main()
