"""A real browser for tests: Debian's Chromium, without a window, for pages of this machine."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium_axe_python.axe import Axe

__all__ = ["Browser", "browser"]

HOW_TO_GET_CHROMIUM = "needs a browser: apt-get install chromium chromium-driver"

ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # tests may be run by root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


class Browser(Chrome):
    """Chromium, as a person with a certain screen and taste has it set up."""

    def screen(self, width: int, height: int = 900) -> None:
        """Set what the page may fill, in CSS pixels; under 500 it is a phone's."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def prefer(self, scheme: str) -> None:
        """Prefer "light" or "dark", as the operating system says it."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def violations(self) -> list[str]:
        """What axe finds wrong with the page that is open: each rule, and the first element."""
        axe = Axe(self)
        axe.inject()  # type: ignore[no-untyped-call]
        found: Sequence[dict[str, Any]] = axe.run()["violations"]
        return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found]


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with a profile of its own; skips the test where none is installed."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip(HOW_TO_GET_CHROMIUM)
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        options = ChromeOptions()
        options.binary_location = chromium
        for argument in (*ARGUMENTS, f"--user-data-dir={profile}"):
            options.add_argument(argument)
        opened = Browser(options, ChromeService(driver))
        try:
            yield opened
        finally:
            opened.quit()
