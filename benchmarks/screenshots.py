"""The pictures of the admin's pages of flags, as the README shows them: `python -m
benchmarks.screenshots`, with a folder if they are to go elsewhere.

A real browser looks at a worker of granian's, which follows FakeFlipt's stream: the flags of a
shop, asked by two thousand customers. It needs Debian's Chromium, and what `.[dev,benchmarks]`
installs.
"""

import io
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from resident.testing import FakeFlipt
from tests.browser import Browser, browser
from tests.evidence import Evidence
from tests.granian import ROOT, Granian, clean_environment

SETTINGS = "benchmarks.variants.shop"
FEATURES = ROOT / "tests" / "flags" / "samples" / "shop.yml"
PICTURES = ROOT / "docs" / "images"
PAGE = "/admin/resident/flag/"
CUSTOMERS = 2_000
FLIPT = "2.9.0"  # later ones send no descriptions
WIDTH = 1180
COLORS = 64  # a page has fewer, but for the edges of its letters

PEOPLE = """
import django; django.setup()
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.core.management import call_command
call_command("migrate", verbosity=0)
chris = User.objects.create_superuser("chris")
*_, kim = [User.objects.create_user(name) for name in ("alex", "robin", "kim")]
session = import_module(settings.SESSION_ENGINE).SessionStore()
session[SESSION_KEY] = str(chris.pk)
session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
session[HASH_SESSION_KEY] = chris.get_session_auth_hash()
session.save()
print(session.session_key, kim.pk)
"""


def main() -> None:
    """Take them all."""
    folder = Path(sys.argv[1]) if sys.argv[1:] else PICTURES
    try:
        with _shop() as (granian, session, customer):
            _shoot(granian, session, customer, folder)
    except (pytest.skip.Exception, pytest.fail.Exception) as failure:  # as tests/ ends
        raise SystemExit(str(failure)) from None


@contextmanager
def _shop() -> Iterator[tuple[Granian, str, str]]:
    """The shop, asked; the key of a session of its administrator, and one of its customers."""
    with ExitStack() as stack:
        flipt = stack.enter_context(FakeFlipt(version=FLIPT))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        features = yaml.safe_load(FEATURES.read_text())
        flipt.load(features | {"flags": _before(features["flags"])})
        variables = {
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "SHOP_FLIPT": flipt.url,
            "SHOP_DATABASE": str(Path(folder, "db.sqlite3")),
        }
        session, customer = _people(variables)
        granian = stack.enter_context(Granian(Evidence(), variables)).serving()
        assert granian.get(f"/shop/{customer}").text == "The old basket."  # noqa: S101
        flipt.load(features)
        assert granian.eventually("The new basket.", f"/shop/{customer}")  # noqa: S101
        for number in range(CUSTOMERS):
            granian.get(f"/shop/customer-{number}")
        yield granian, session, customer


def _people(variables: dict[str, str]) -> list[str]:
    command = [sys.executable, "-c", PEOPLE]
    environment = clean_environment(**variables)
    ran = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    return ran.stdout.decode().split()


def _before(flags: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The flags before somebody has changed one."""
    return [flag | {"rollouts": []} if flag["key"] == "new_basket" else flag for flag in flags]


def _shoot(granian: Granian, session: str, customer: str, folder: Path) -> None:
    url = f"http://127.0.0.1:{granian.port}"
    asked = f"?person={customer}&entity=&context=plan+%3D+free%0Alanguage+%3D+de"
    pages = {"flags": PAGE, "flag": f"{PAGE}new_basket/{asked}"}
    with browser() as opened:
        opened.screen(WIDTH)
        opened.get(f"{url}/admin/login/")
        opened.add_cookie({"name": "sessionid", "value": session})
        opened.execute_script("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")
        opened.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        for name, page in pages.items():
            for scheme in ("light", "dark"):
                opened.prefer(scheme)
                opened.get(url + page)
                _save(opened, folder / f"{name}-{scheme}.png")


def _save(opened: Browser, path: Path) -> None:
    """The whole page, in few colors."""
    end = "document.querySelector('#content-main').getBoundingClientRect().bottom + 20"
    opened.screen(WIDTH, int(opened.execute_script(f"return {end}")))
    picture = Image.open(io.BytesIO(opened.get_screenshot_as_png())).convert("RGB")
    picture.quantize(COLORS, dither=Image.Dither.NONE).save(path, optimize=True)
    opened.screen(WIDTH)
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
