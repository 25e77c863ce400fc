"""What `manage.py findleaks` takes on a project of middle size: see README.md beside this file."""

import gc
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
# A script's own folder comes first, and greeting.py there would hide the package `greeting`.
sys.path[0] = str(ROOT)

try:
    import django
    import psutil
    from django.core.management import call_command

    from benchmarks import report
except ImportError as missing:
    raise SystemExit(f"{missing.name} is missing: pip install -e '.[dev,benchmarks]'") from missing

PAGES = ("/admin/", "/admin/auth/user/", "/admin/auth/user/add/", "/api/users/?format=api")
ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "benchmarks.variants.packages",
    "DEBUG": "off",
    "SECRET_KEY": "of-a-benchmark",
    "ALLOWED_HOSTS": "127.0.0.1",
    # Empty, so that a file .env does not set them.
    "VAULT_ADDR": "",
    "VAULT_HOST": "",
    "FLIPT_API_HOST": "",
}
USER = "chris"


def hunts(rounds: int) -> str:
    """How long one page takes, five requests and nothing that leaks, and what memory it adds."""
    process = psutil.Process()
    before = process.memory_full_info().uss
    rows = [row(page, rounds) for page in PAGES]
    added = (process.memory_full_info().uss - before) / 2**20
    modules, objects = len(sys.modules), len(gc.get_objects())
    header = ["page", "bare requests s", "project s", "third party s", "leaks"]
    return f"""\
One page of a project with the admin and six packages ({modules} modules, {objects:,} objects that
the garbage collector knows), 5 requests after 3 to warm up, in process and after the start-up.
Medians of {rounds} rounds. "bare requests": the same 9 requests without a look. "third party": with
--third-party. In all it has added {added:.0f} MiB to the process, pages and their caches included.

{report.table(header, rows)}"""


def row(page: str, rounds: int) -> list[str]:
    from resident.leaks.rehearsal import Rehearsal  # noqa: PLC0415 - after django.setup()
    from resident.stage import Stage  # noqa: PLC0415 - as above

    stages = [Stage(), Stage(third_party=True)]
    found = [stage.find_leaks(page, user=USER) for stage in stages]  # what is imported once
    if any(it.status != 200 for it in found):
        raise SystemExit(f"{page} answers {found[0].status}.")
    took: list[list[float]] = [[], [], []]
    for _ in range(rounds):
        with Rehearsal(page, application=stages[0].new_application(), user=USER) as rehearsal:
            took[0].append(seconds(lambda: [rehearsal.request() for _ in range(9)]))
        for stage, times in zip(stages, took[1:], strict=True):
            times.append(seconds(lambda: stage.find_leaks(page, user=USER)))  # noqa: B023 - called at once
    leaks = "/".join(str(len(it.leaks)) for it in found)
    return [page, *(f"{median(times):.2f}" for times in took), leaks]


def seconds(act: object) -> float:
    began = time.perf_counter()
    act()  # type: ignore[operator] # a lambda of the above
    return time.perf_counter() - began


@contextmanager
def project() -> Iterator[None]:
    """The project of middle size, with a new database."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(ENVIRONMENT, DATABASE_URL=f"sqlite:///{Path(folder, 'db.sqlite3')}")
        try:
            django.setup()
        except ImportError as error:
            raise SystemExit(f"{error.name} is missing: pip install -e '.[packages]'") from error
        call_command("migrate", verbosity=0)
        from django.contrib.auth.models import User  # noqa: PLC0415 - after django.setup()

        User.objects.create_superuser(USER)
        yield


def main() -> None:
    parser = report.parser("hunts", __doc__)
    parser.add_argument("--rounds", type=int, default=9, help="default: %(default)s")
    asked = parser.parse_args()
    with project():
        text = "\n\n".join(
            ["How long a look for leaks takes.", report.machine(), hunts(asked.rounds)]
        )
    report.publish("hunts", text, keep=asked.output)


if __name__ == "__main__":
    main()
