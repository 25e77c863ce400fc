"""What flags cost in the worker: see README.md beside this file."""

import argparse
import gc
import itertools
import json
import os
import re
import statistics
import sys
import tempfile
import threading
import time
import timeit
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# A script's own folder comes first, and secrets.py there would hide Python's own `secrets`.
sys.path[0] = str(ROOT)

try:
    import django
    import flipt
    import flipt_client
    import waffle
    from django.core.management import call_command
    from django.test import RequestFactory
    from flipt.evaluation import EvaluationRequest
    from flipt_client.models import ClientOptions
    from openfeature import api
    from openfeature.evaluation_context import EvaluationContext

    from benchmarks import report
    from benchmarks.servers import Granian, flipt_server
    from resident.flags import flag_enabled
    from resident.flags.document import parse
    from resident.flags.snapshot import Snapshot
    from resident.flags.subject import Subject
    from resident.openfeature import ResidentProvider
    from resident.testing import FakeFlipt
    from resident.worker import worker
except ImportError as missing:
    raise SystemExit(f"{missing.name} is missing: pip install -e '.[dev,benchmarks]'") from missing

Way = Callable[[], object]

WORKERS = 4
INTERVAL = 1.0  # seconds
SIZES = (10, 500, 5_000)
V1, V2 = "1.61.1", "2.9.0"
KEY = "half"
GERMAN = {"language": "de"}
MIB = 1024 * 1024

FEATURES = {
    "version": "1.4",
    "namespace": "default",
    "flags": [
        {"key": "constant", "name": "Constant", "type": "BOOLEAN_FLAG_TYPE", "enabled": True},
        {
            "key": "half",
            "name": "Half",
            "type": "BOOLEAN_FLAG_TYPE",
            "enabled": False,
            "rollouts": [{"threshold": {"percentage": 50, "value": True}}],
        },
        {
            "key": "german",
            "name": "For those who read German, and half of the others",
            "type": "BOOLEAN_FLAG_TYPE",
            "enabled": False,
            "rollouts": [
                {"segment": {"key": "german", "value": True}},
                {"threshold": {"percentage": 50, "value": True}},
            ],
        },
    ],
    "segments": [
        {
            "key": "german",
            "name": "German",
            "match_type": "ALL_MATCH_TYPE",
            "constraints": [
                {
                    "type": "STRING_COMPARISON_TYPE",
                    "property": "language",
                    "operator": "eq",
                    "value": "de",
                }
            ],
        }
    ],
}


def evaluation(*, quick: bool) -> str:
    """Microseconds for an answer: one that was given before, and a first one."""
    rounds = 2 if quick else 15
    with compared() as url, clients(url) as (repeated, first):
        again = measured(repeated, rounds)
        anew = measured(first, rounds)
    own = anew["flipt-client, by itself"]
    by_context = anew["flipt-client, with a context"]
    of_first = {name: by_context if "context" in name else own for name in anew}
    basis = again["flag_enabled, an entity"]
    rows = [
        [name, f"{min(them):,.2f}", f"{min(them) / min(basis):,.1f}"]
        for name, them in again.items()
    ]
    of_new = [
        [name, f"{statistics.median(them):,.2f}", f"{more(them, of_first[name]):+,.2f}"]
        for name, them in anew.items()
    ]
    return f"""\
An answer that was given before, the least of {rounds} rounds of all in turn:

{report.table(["", "µs", "times the second"], rows)}

A first one, for somebody who was not asked about before, medians of {rounds} rounds:

{report.table(["", "µs", "more than flipt-client"], of_new)}"""


@contextmanager
def compared() -> Iterator[str]:
    """Django, set up with resident and django-waffle; gives the URL of a Flipt."""
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        json.dump(FEATURES, file)
        file.flush()
        with flipt_server("", Path(file.name)) as url:
            os.environ.update(variables(url, {}), DJANGO_SETTINGS_MODULE=SETTINGS["compared"])
            django.setup()
            call_command("migrate", verbosity=0)
            yield url
            worker.close()


@contextmanager
def clients(url: str) -> Iterator[tuple[dict[str, Way], dict[str, Way]]]:
    """What is compared: ways to an answer that was given before, and to a first one."""
    options = ClientOptions(url=url, namespace="default")
    engine, server = flipt_client.FliptClient(opts=options), flipt.FliptClient(url=url)
    api.set_provider(ResidentProvider())
    with worker.stay():
        yield (
            repeated_ways(engine, server),
            first_ways(engine, server, (f"user-{number}" for number in itertools.count())),
        )
    api.shutdown()
    server.close()
    engine.close()


def asked_of(entity_id: str) -> EvaluationRequest:
    """What is asked of Flipt's server, as its SDK wants it."""
    return EvaluationRequest(flag_key=KEY, entity_id=entity_id, context={})


def repeated_ways(engine: flipt_client.FliptClient, server: flipt.FliptClient) -> dict[str, Way]:
    """Ways to the same answer, again and again."""
    from django.contrib.auth.models import AnonymousUser, User  # noqa: PLC0415 - after the setup
    from waffle.models import Flag  # noqa: PLC0415 - as above

    Flag.objects.create(name="constant", everyone=True)
    Flag.objects.create(name=KEY, percent=50)
    request = RequestFactory().get("/", headers={"Accept-Language": "de"})
    request.user = User(pk=42)
    stranger = RequestFactory().get("/")
    stranger.user = AnonymousUser()
    feature, person = api.get_client(), EvaluationContext("42")
    return {
        "flag_enabled, the same for all": lambda: flag_enabled("constant"),
        "flag_enabled, an entity": lambda: flag_enabled(KEY, entity_id="42"),
        "flag_enabled, a request's user": lambda: flag_enabled(KEY, request),
        "flag_enabled, a request's context": lambda: flag_enabled("german", request),
        "OpenFeature's client over resident": lambda: feature.get_boolean_value(
            KEY, default_value=False, evaluation_context=person
        ),
        "flipt-client": lambda: engine.evaluate_boolean(KEY, "42", {}),
        "django-waffle, the same for all": lambda: waffle.flag_is_active(stranger, "constant"),
        "django-waffle, a percentage": lambda: waffle.flag_is_active(stranger, KEY),
        "Flipt's server, by its SDK": lambda: server.evaluation.boolean(asked_of("42")),
    }


def first_ways(
    engine: flipt_client.FliptClient, server: flipt.FliptClient, ids: Iterator[str]
) -> dict[str, Way]:
    """Ways to an answer for somebody else each time."""
    feature = api.get_client()
    return {
        "flipt-client, by itself": lambda: engine.evaluate_boolean(KEY, next(ids), {}),
        "flag_enabled, an entity": lambda: flag_enabled(KEY, entity_id=next(ids)),
        "OpenFeature's client over resident": lambda: feature.get_boolean_value(
            KEY, default_value=False, evaluation_context=EvaluationContext(next(ids))
        ),
        "flipt-client, with a context": lambda: engine.evaluate_boolean(
            "german", next(ids), GERMAN
        ),
        "flag_enabled, with a context": lambda: flag_enabled(
            "german", entity_id=next(ids), context=GERMAN
        ),
        "Flipt's server, by its SDK": lambda: server.evaluation.boolean(asked_of(next(ids))),
    }


def measured(ways: Mapping[str, Way], rounds: int) -> dict[str, list[float]]:
    """Microseconds, by way, of what each round saw, after one to warm up."""
    counts = {name: number_of(way) for name, way in ways.items()}
    seen = [
        {name: microseconds(way, counts[name]) for name, way in ways.items()}
        for _ in range(1 + rounds)
    ]
    return {name: [figures[name] for figures in seen[1:]] for name in ways}


def microseconds(way: Way, number: int) -> float:
    """What one of so many takes, without the call that measuring adds."""
    added = timeit.timeit(lambda: None, number=10_000) / 10_000
    return (timeit.timeit(way, number=number) / number - added) * 1e6


def number_of(way: Way) -> int:
    """How often one is asked in a round: for 50 ms."""
    took = min(timeit.repeat(way, number=5, repeat=5)) / 5
    return max(int(0.05 / took), 20)


def more(these: Sequence[float], those: Sequence[float]) -> float:
    return statistics.median(one - other for one, other in zip(these, those, strict=True))


def propagation(*, quick: bool) -> str:
    """Milliseconds from a change in Flipt until the last of the workers uses it."""
    count = 2 if quick else 25
    rows = []
    for name, version, fetch in (
        ("Flipt v2, which streams", V2, "stream"),
        (f"Flipt v2, asked every {INTERVAL:.0f} s", V2, "poll"),
        (f"Flipt v1, asked every {INTERVAL:.0f} s", V1, "poll"),
    ):
        report.say(name)
        each, lasts = changes(version, fetch, count)
        figures = (statistics.median(each), statistics.median(lasts), max(lasts))
        rows.append([name, *(f"{figure * 1000:,.0f}" for figure in figures)])
    header = ["", "in one, median ms", f"in the last of {WORKERS}, median ms", "slowest ms"]
    return f"""\
From a change in Flipt to its use in {WORKERS} workers, {count} changes:

{report.table(header, rows)}"""


def changes(version: str, fetch: str, count: int) -> tuple[list[float], list[float]]:
    """Seconds until one worker uses a change, and until the last one does."""
    each: list[float] = []
    lasts: list[float] = []
    flags = {"FETCH": fetch, "INTERVAL": INTERVAL if fetch == "poll" else 30.0}
    with FakeFlipt(version=version) as server:
        server.load(features(10))
        with Granian(APPLICATION, variables(server.url, flags), workers=WORKERS) as granian:
            wait_until(partial(has_taken, granian, WORKERS))
            wait_until(lambda: fetch == "poll" or server.streams >= WORKERS)
            for number in range(count):
                time.sleep(0.137 + number % 7 / 10)  # so that it meets every moment of the interval
                before = len(taken(granian))
                began = time.time()
                (server.disable if number % 2 else server.enable)("flag-0")
                wait_until(partial(has_taken, granian, before + WORKERS))
                moments = [moment - began for moment in taken(granian)[before:]]
                each += moments
                lasts.append(max(moments))
    return each, lasts


def taken(granian: Granian) -> list[float]:
    """When a worker took other flags up, in the order in which they said so."""
    found = re.findall(r"^([\d.]+) \d+ flags from .* in use in", granian.log(), re.MULTILINE)
    return [float(moment) for moment in found]


def has_taken(granian: Granian, times: int) -> bool:
    """Whether flags were taken up so often, by all workers together."""
    return len(taken(granian)) >= times


def wait_until(what: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not what():
        if time.monotonic() > ends:
            raise SystemExit("The workers did not take the change up within 30 s.")
        time.sleep(0.01)


def swap(*, quick: bool) -> str:
    """How long new flags take to be in use, and what a thread notices that evaluates meanwhile."""
    rounds = 1 if quick else 9
    rows = []
    for size in SIZES:
        report.say(f"swapping {size:,} flags")
        took, with_swap, without = swaps(size, rounds)
        with uncollected():
            _, by_itself, _ = swaps(size, rounds)
        rows.append(
            [
                f"{size:,}",
                *(
                    f"{statistics.median(them) * 1000:,.1f}"
                    for them in (took, without, with_swap, by_itself)
                ),
                f"{max(with_swap) * 1000:.1f}",
            ]
        )
    header = ["flags", "a swap, ms", "pause without, ms", "pause", "uncollected", "the longest"]
    return f"""\
New flags, from the server's answer to their use, and the longest that another thread had to
wait between two of its evaluations meanwhile, and in as long a time without; medians of
{rounds} rounds. A thread that computes has Python for {sys.getswitchinterval() * 1000:.0f} ms \
before another gets it.
"uncollected": the pause without Python's garbage collector, which looks through all that is there:

{report.table(header, rows)}"""


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector from coming in between."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def swaps(size: int, rounds: int) -> tuple[list[float], list[float], list[float]]:
    """Seconds that swaps took; the longest pauses during them, and during as long a time."""
    bodies = itertools.cycle([body(size, enabled=enabled) for enabled in (True, False)])
    snapshot = Snapshot(parse(next(bodies), source="Flipt"), origin="server", place="Flipt")
    took, with_swap, without = [], [], []
    for _ in range(rounds):
        gc.collect()
        with evaluating(snapshot) as pauses:
            began = time.perf_counter()
            known = snapshot.document.by_key
            document = parse(next(bodies), source="Flipt", before=known)
            after = Snapshot(document, origin="server", place="Flipt", before=snapshot)
            took.append(time.perf_counter() - began)
        with_swap.append(max(pauses))
        snapshot = after
        with evaluating(snapshot) as pauses:
            time.sleep(took[-1])
        without.append(max(pauses))
    return took, with_swap, without


@contextmanager
def evaluating(snapshot: Snapshot) -> Iterator[list[float]]:
    """Evaluate in another thread meanwhile; gives the seconds of its longest pause at the end."""
    ends = threading.Event()
    begun = threading.Event()
    longest: list[float] = []

    def evaluate() -> None:
        somebody = Subject("42")
        worst, last = 0.0, time.perf_counter()
        while not ends.is_set():
            snapshot.boolean("flag-1", lambda: somebody, default=False)
            now = time.perf_counter()
            worst, last = max(worst, now - last), now
            begun.set()
        longest.append(worst)

    thread = threading.Thread(target=evaluate)
    thread.start()
    begun.wait()
    try:
        yield longest
    finally:
        ends.set()
        thread.join()


def body(size: int, *, enabled: bool) -> bytes:
    """What Flipt sends of so many flags, one of which is on or off."""
    with FakeFlipt(version=V2) as server:
        server.load(features(size))
        if enabled:
            server.enable("flag-0")
        return json.dumps(server.document(), separators=(",", ":")).encode()


def memory(*, quick: bool) -> str:
    """MiB of a worker's own, by number of flags."""
    rows = []
    basis = 0.0
    for size in (0, *(SIZES[:2] if quick else SIZES)):
        report.say(f"a worker with {size:,} flags")
        began, later = own_memory(size, changes=2 if quick else 10)
        basis = basis or began
        rows.append([f"{size:,}", *(f"{it:.1f}" for it in (began, later)), f"{later - basis:+.1f}"])
    header = ["flags", "own MiB", "after 10 changes", "more than without flags"]
    return f"""\
The memory of a worker, what it shares with no other process (USS), at first and after changes:

{report.table(header, rows)}"""


def own_memory(size: int, changes: int) -> tuple[float, float]:
    """MiB of a worker that has so many flags: at first, and after so many changes."""
    with FakeFlipt(version=V2) as server:
        server.load(features(size))
        flags = {"FETCH": "stream", "TIMEOUT": 20.0, "DEADLINE": 20.0}
        with Granian(APPLICATION, variables(server.url, flags)) as granian:
            wait_until(lambda: server.streams >= 1)
            granian.settle()
            began = granian.memory()[0]
            for number in range(changes if size else 0):
                before = len(taken(granian))
                (server.disable if number % 2 else server.enable)("flag-0")
                wait_until(partial(has_taken, granian, before + 1))
            granian.settle()
            return began, granian.memory()[0]


def features(size: int) -> dict[str, Any]:
    """So many flags, of all kinds: a quarter has variants, a quarter a segment and a percentage."""
    return {
        "version": "1.4",
        "namespace": "default",
        "flags": [feature(number) for number in range(size)],
        "segments": FEATURES["segments"],
    }


def feature(number: int) -> dict[str, Any]:
    flag: dict[str, Any] = {"key": f"flag-{number}", "name": f"Flag {number}", "enabled": False}
    if number % 4 == 2:
        shares = [{"variant": "a", "rollout": 50}, {"variant": "b", "rollout": 50}]
        variants = [{"key": "a", "attachment": {"size": 1}}, {"key": "b"}]
        rules = [{"segment": "german", "distributions": shares}]
        return flag | {"type": "VARIANT_FLAG_TYPE", "variants": variants, "rules": rules}
    segment = {"segment": {"key": "german", "value": True}}
    rollouts = [segment, {"threshold": {"percentage": 50, "value": True}}]
    return flag | {"type": "BOOLEAN_FLAG_TYPE", "rollouts": rollouts if number % 4 == 1 else []}


def variables(url: str, flags: Mapping[str, Any]) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": SETTINGS["flagged"],
        "BENCHMARK_FLIPT": url,
        "BENCHMARK_FLAGS": json.dumps(flags),
    }


SETTINGS = {name: f"benchmarks.variants.{name}" for name in ("flagged", "compared")}
APPLICATION = f"{SETTINGS['flagged']}:application"
PARTS: dict[str, Callable[..., str]] = {
    it.__name__: it for it in (evaluation, propagation, swap, memory)
}


def arguments() -> argparse.Namespace:
    parser = report.parser("flags", __doc__)
    parser.add_argument("--quick", action="store_true", help="only show that the script runs")
    parser.add_argument(
        "parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; default: all"
    )
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return asked


def main() -> None:
    asked = arguments()
    said = []
    for name in asked.parts or PARTS:
        report.say(name)
        said.append(PARTS[name](quick=asked.quick))
    head = f"""\
Flags in the worker.
{report.machine()}
Flipt is resident's FakeFlipt, on the same machine."""
    report.publish("flags", "\n\n".join([head, *said]), keep=asked.output)


if __name__ == "__main__":
    main()
