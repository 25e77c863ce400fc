"""What isolation costs under granian, side by side: see README.md beside this file."""

import argparse
import json
import operator
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A script's own folder comes first, and greeting.py there would hide the package `greeting`.
sys.path[0] = str(ROOT)

try:
    import pytest

    from benchmarks import report
    from benchmarks.load import TOOL, latencies, requests_per_second
    from benchmarks.servers import Granian
    from tests.databases import PostgreSQL
except ImportError as missing:
    raise SystemExit(f"{missing.name} is missing: pip install -e '.[dev,benchmarks]'") from missing

SERVED = {
    "SECRET_KEY": "of-a-benchmark",
    "DEBUG": "false",
    "ALLOWED_HOSTS": "127.0.0.1",
    # Empty, so that a file .env does not set them: the flag is the embedded default.
    "VAULT_ADDR": "",
    "VAULT_HOST": "",
    "FLIPT_API_HOST": "",
}
BESIDE = SERVED | {"DJANGO_SETTINGS_MODULE": "benchmarks.variants.settings", "VARIANT": "bare"}
GREETING = "Hello, world!"
PAUSE = 0.003
BY_SESSION = """\
One query through the ORM, on a connection to PostgreSQL that is kept, --blocking-threads 1,
by RESIDENT_SESSION:"""


@dataclass(frozen=True)
class Variant:
    """One way to serve, which is compared with the first of its table."""

    name: str
    application: str
    variables: Mapping[str, str]
    answer: str


BARE = Variant("bare Django", "benchmarks.variants.wsgi:application", BESIDE, GREETING)
GREETINGS = (
    BARE,
    Variant("bare Django again", BARE.application, BESIDE, GREETING),
    Variant("this project", "project.wsgi:application", SERVED, GREETING),
)


@dataclass(frozen=True)
class Round:
    """One look at one variant: requests per second, and milliseconds for one connection.

    Attributes:
        rate: requests per second over several connections.
        p50: of one connection that asks again at once.
        paused: of one that first waits, so that nothing of its last request still runs.
    """

    rate: float
    p50: float
    paused: float


def queries(database: Mapping[str, object]) -> tuple[Variant, ...]:
    """The view with one query: bare Django twice, and the three modes of RESIDENT_SESSION."""

    def variant(name: str, application: str, mode: str) -> Variant:
        variables = {
            "DJANGO_SETTINGS_MODULE": "benchmarks.variants.orm",
            "BENCHMARK_DATABASE": json.dumps(database),
            "BENCHMARK_SESSION": mode,
        }
        return Variant(name, f"benchmarks.variants.orm:{application}", variables, GREETING)

    return (
        variant("bare Django", "bare", "never"),
        variant("bare Django again", "bare", "never"),
        *(variant(mode, "isolated", mode) for mode in ("never", "when changed", "always")),
    )


def measured(
    variants: Sequence[Variant], threads: int, rounds: int, seconds: int
) -> dict[str, list[Round]]:
    """Load each variant in turn, round after round; the first round warms up."""
    seen: dict[str, list[Round]] = {variant.name: [] for variant in variants}
    with ExitStack() as stack:
        servers = {
            variant.name: stack.enter_context(
                Granian(variant.application, variant.variables, threads=threads)
            )
            for variant in variants
        }
        for number in range(1 + rounds):
            report.say(f"loading each, {threads} blocking threads, round {number} of {rounds}")
            start = number % len(variants)  # whoever comes first may find the machine another one
            for variant in (*variants[start:], *variants[:start]):
                figures = load(servers[variant.name], variant.answer, seconds)
                if number:
                    seen[variant.name].append(figures)
    return seen


def load(granian: Granian, answer: str, seconds: int) -> Round:
    rate = requests_per_second(granian.port, seconds=seconds, body=answer)
    granian.settle()
    alone = latencies(granian.port, seconds=0.3, body=answer)
    paused = latencies(granian.port, seconds=0.5, body=answer, pause=PAUSE)
    return Round(rate, alone.p50, paused.p50)


def table(seen: Mapping[str, Sequence[Round]]) -> str:
    """Medians; what compares with the first compares within each round."""
    first = next(iter(seen.values()))
    rows = []
    for name, rounds in seen.items():
        pairs = list(zip(rounds, first, strict=True))
        share = statistics.median(one.rate / other.rate for one, other in pairs)
        alone = statistics.median(one.p50 - other.p50 for one, other in pairs)
        paused = statistics.median(one.paused - other.paused for one, other in pairs)
        rows.append([
            name,
            f"{statistics.median(map(operator.attrgetter('rate'), rounds)):,.0f}",
            f"{share:.1%}",
            f"{statistics.median(map(operator.attrgetter('p50'), rounds)):.3f}",
            f"{alone * 1000:+.0f}",
            f"{statistics.median(map(operator.attrgetter('paused'), rounds)):.3f}",
            f"{paused * 1000:+.0f}",
        ])  # fmt: skip
    header = ["", "requests/s", "of the first", "p50 ms", "more µs", "paused ms", "more µs"]
    return report.table(header, rows)


@contextmanager
def postgresql() -> Iterator[dict[str, object]]:
    """A PostgreSQL with Django's content types; gives the entry of DATABASES."""
    try:
        with PostgreSQL() as server:
            server.create("benchmark")
            database = server.settings("benchmark", CONN_MAX_AGE=None)
            variables = {
                "DJANGO_SETTINGS_MODULE": "benchmarks.variants.orm",
                "BENCHMARK_DATABASE": json.dumps(database),
                "BENCHMARK_SESSION": "never",
            }
            command = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
            environment = {**os.environ, **variables}
            subprocess.run(command, cwd=ROOT, env=environment, check=True)
            yield database
    except (pytest.skip.Exception, pytest.fail.Exception) as failure:  # as tests/databases.py ends
        raise SystemExit(str(failure)) from None


def arguments() -> argparse.Namespace:
    parser = report.parser("isolation", __doc__)
    parser.add_argument("--rounds", type=int, default=15, help="default: %(default)s")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    head = f"""\
What isolation costs, under granian with one worker.
{report.machine()}
Medians of {asked.rounds} rounds of all in turn, after one to warm up; what compares with the
first of a table compares within each round. requests/s: {TOOL}, for 1 s.
p50: one connection that asks again at once. paused: one that waits 3 ms first."""
    parts = [head]
    for threads in (1, 4):
        seen = measured(GREETINGS, threads, asked.rounds, 1)
        parts += [f"The greeting, --blocking-threads {threads}:", table(seen)]
    with postgresql() as database:
        seen = measured(queries(database), 1, asked.rounds, 1)
    parts += [BY_SESSION, table(seen)]
    text = "\n\n".join(parts)
    report.publish("isolation", text, keep=asked.output)


if __name__ == "__main__":
    main()
