"""What the greeting costs, four ways side by side: see README.md beside this file."""

import argparse
import operator
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A script's own folder comes first, and there this file would hide the package `greeting`.
sys.path[0] = str(ROOT)

try:
    from benchmarks import picture, report
    from benchmarks.load import TOOL, Latencies, latencies, requests_per_second
    from benchmarks.servers import Granian, vault_and_flipt
except ImportError as missing:
    raise SystemExit(f"{missing.name} is missing: pip install -e '.[dev,benchmarks]'") from missing

PICTURE = ROOT / "docs" / "images" / "greeting.svg"
TITLE = "The greeting, four ways: one granian worker, one thread"

PLAIN, REVERSED = "Hello, world!", "!dlrow ,olleH"
SERVED = {"SECRET_KEY": "of-a-benchmark", "DEBUG": "false", "ALLOWED_HOSTS": "127.0.0.1"}
BESIDE = SERVED | {"DJANGO_SETTINGS_MODULE": "benchmarks.variants.settings"}


@dataclass(frozen=True)
class Variant:
    """One way to serve the greeting, and what it answers then."""

    key: str
    name: str
    answer: str
    application: str
    variables: Mapping[str, str]

    @property
    def label(self) -> str:
        return f"({self.key}) {self.name}"

    def granian(self, outside: Mapping[str, str], *, threads: int = 1) -> Granian:
        return Granian(self.application, {**outside, **self.variables}, threads=threads)


def beside(key: str, name: str, module: str, answer: str = REVERSED) -> Variant:
    application = "benchmarks.variants.wsgi:application"
    return Variant(key, name, answer, application, BESIDE | {"VARIANT": module})


VARIANTS = (
    beside("a", "bootstrap in every request", "bootstrapping"),
    beside("b", "Flipt asked in every request", "asking"),
    Variant("c", "this project", REVERSED, "project.wsgi:application", SERVED),
    beside("d", "bare Django, no flag", "bare", PLAIN),
)


@dataclass(frozen=True)
class Effort:
    """How often it is measured, after how much to warm up, and for how many seconds each time."""

    warm_up: int = 1
    rounds: int = 7
    boots: int = 5
    latency: float = 0.8
    rate: int = 1
    threads: tuple[int, ...] = (1, 4)


QUICK = Effort(warm_up=0, rounds=1, boots=1, latency=0.2, threads=(1,))


@dataclass(frozen=True)
class Round:
    """One look at one variant: over a single connection, and requests per second over several."""

    alone: Latencies
    rate: float


@dataclass(frozen=True)
class Worker:
    """What was seen of the worker of one variant: its rounds, and its memory after them, in MiB."""

    rounds: Sequence[Round]
    own: float
    resident: float


@dataclass(frozen=True)
class Boot:
    """One start: milliseconds until the first answer, and those of each resource."""

    total: float
    opened: Mapping[str, float]


def boots_of(effort: Effort, outside: Mapping[str, str]) -> dict[str, list[Boot]]:
    """Start each variant in turn, round after round."""
    boots: dict[str, list[Boot]] = {variant.key: [] for variant in VARIANTS}
    for number in range(1 - effort.warm_up, 1 + effort.boots):
        report.say(f"starting each, round {number} of {effort.boots}")
        for variant in VARIANTS:
            with variant.granian(outside) as granian:
                boots[variant.key].append(Boot(granian.boot, granian.opened))
    return {key: seen[effort.warm_up :] for key, seen in boots.items()}


def workers_of(effort: Effort, outside: Mapping[str, str], threads: int) -> dict[str, Worker]:
    """Load each variant in turn, round after round."""
    rounds: dict[str, list[Round]] = {variant.key: [] for variant in VARIANTS}
    with ExitStack() as stack:
        servers = {
            variant.key: stack.enter_context(variant.granian(outside, threads=threads))
            for variant in VARIANTS
        }
        for number in range(1 - effort.warm_up, 1 + effort.rounds):
            report.say(
                f"loading each, {threads} blocking threads, round {number} of {effort.rounds}"
            )
            for variant in VARIANTS:
                rounds[variant.key].append(load(servers[variant.key], variant.answer, effort))
        memory = {key: granian.memory() for key, granian in servers.items()}
    return {key: Worker(seen[effort.warm_up :], *memory[key]) for key, seen in rounds.items()}


def load(granian: Granian, answer: str, effort: Effort) -> Round:
    alone = latencies(granian.port, seconds=effort.latency, body=answer)
    rate = requests_per_second(granian.port, seconds=effort.rate, body=answer)
    granian.settle()
    return Round(alone, rate)


Figure = Callable[[Round], float]


def p50(seen: Round) -> float:
    return seen.alone.p50


def p99(seen: Round) -> float:
    return seen.alone.p99


def rate(seen: Round) -> float:
    return seen.rate


def median(worker: Worker, figure: Figure) -> float:
    return statistics.median(map(figure, worker.rounds))


def compared(
    one: Worker, by: Callable[[float, float], float], another: Worker, figure: Figure
) -> float:
    """The median of what the rounds say: each compares what was measured a moment apart."""
    pairs = zip(one.rounds, another.rounds, strict=True)
    return statistics.median(by(figure(a), figure(b)) for a, b in pairs)


def load_table(workers: Mapping[str, Worker]) -> str:
    header = ["variant", "p50 ms", "p99 ms", "p50 - (c)", "p50 / (d)", "requests/s", "of (d)'s"]
    rows = [
        [
            variant.label,
            f"{median(worker, p50):.3f}",
            f"{median(worker, p99):.3f}",
            f"{compared(worker, operator.sub, workers['c'], p50):+.3f}",
            f"{compared(worker, operator.truediv, workers['d'], p50):.2f}",
            f"{median(worker, rate):,.0f}",
            f"{compared(worker, operator.truediv, workers['d'], rate):.1%}",
        ]
        for variant in VARIANTS
        for worker in [workers[variant.key]]
    ]
    return report.table(header, rows)


def worker_table(workers: Mapping[str, Worker], boots: Mapping[str, Sequence[Boot]]) -> str:
    header = ["variant", "own MiB", "- (d)", "RSS MiB", "boot ms", "- (d)", "resources"]
    times = {key: statistics.median(boot.total for boot in seen) for key, seen in boots.items()}
    rows = [
        [
            variant.label,
            f"{worker.own:.1f}",
            f"{worker.own - workers['d'].own:+.1f}",
            f"{worker.resident:.1f}",
            f"{times[variant.key]:.0f}",
            f"{times[variant.key] - times['d']:+.0f}",
            resources(boots[variant.key]) or "-",
        ]
        for variant in VARIANTS
        for worker in [workers[variant.key]]
    ]
    return report.table(header, rows)


def resources(boots: Sequence[Boot]) -> str:
    """What each resource took to open, in the words of the log."""
    return ", ".join(
        f"{name} {statistics.median(boot.opened[name] for boot in boots):.0f} ms"
        for name in boots[0].opened
    )


def summary(workers: Mapping[str, Worker]) -> str:
    a, b, c, d = (workers[variant.key] for variant in VARIANTS)
    return (
        f"p50: (a) is {compared(a, operator.sub, c, p50):.1f} ms more than (c), "
        f"(b) {compared(b, operator.sub, c, p50):.3f} ms more, "
        f"and (c) is {compared(c, operator.truediv, d, p50):.2f} times (d)."
    )


def printed(
    effort: Effort, workers: Mapping[int, Mapping[str, Worker]], boots: Mapping[str, Sequence[Boot]]
) -> str:
    first = workers[effort.threads[0]]
    fewest = min(seen.alone.count for worker in first.values() for seen in worker.rounds)
    parts = [
        f"""\
The greeting, four ways, under granian with one worker.
{report.machine()}
Vault is OpenBao, Flipt is resident's FakeFlipt, each in a process of its own.
Medians of {effort.rounds} rounds (a, b, c, d, a, b, ...) after {effort.warm_up} to warm up;
what compares two variants is taken within each round.
p50, p99: one connection for {effort.latency} s, {fewest} requests or more; p99 of fewer than 100
is the slowest. requests/s: {TOOL}, for {effort.rate} s."""
    ]
    for threads, seen in workers.items():
        parts += [f"--blocking-threads {threads}:", load_table(seen), summary(seen)]
    parts += [
        f"""\
The worker, --blocking-threads {effort.threads[0]}: its memory after the load (own: what it shares
with no other process), and its start, from granian's own to the end of the first answer, median
of {effort.boots}; of that, what (c) logs that opening its resources took:""",
        worker_table(first, boots),
    ]
    return "\n\n".join(parts)


def picture_rows(workers: Mapping[str, Worker]) -> list[picture.Row]:
    return [
        picture.Row(
            name=variant.name,
            p50=median(workers[variant.key], p50),
            p99=median(workers[variant.key], p99),
            rate=median(workers[variant.key], rate),
            is_ours=variant.key == "c",
        )
        for variant in VARIANTS
    ]


def arguments() -> argparse.Namespace:
    parser = report.parser("greeting", f"{__doc__} With --output it draws its picture, too.")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one short round, which shows that the script runs; its figures mean nothing",
    )
    asked = parser.parse_args()
    if asked.output and asked.quick:
        parser.error("--quick gives figures that mean nothing, and so are not for --output.")
    return asked


def main() -> None:
    asked = arguments()
    effort = QUICK if asked.quick else Effort()
    with vault_and_flipt() as outside:
        boots = boots_of(effort, outside)
        workers = {threads: workers_of(effort, outside, threads) for threads in effort.threads}
    text = printed(effort, workers, boots)
    report.publish("greeting", text, keep=asked.output)
    if asked.output:
        picture.draw(picture_rows(workers[1]), PICTURE, title=TITLE)


if __name__ == "__main__":
    main()
