"""The page in a real browser, over the WebDriver protocol."""

import http.client
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medrag.reporting import answer_page
from tests.reporting.made import ROOTS, abstained, answered

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
DRIVER = shutil.which("chromedriver")
ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars",
)  # fmt: skip

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="chromium and chromedriver are not on this machine"
)


class Browser:
    """A session of chromedriver: what these tests need of the WebDriver protocol."""

    def __init__(self, port: int, profile: Path) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        options = {"binary": CHROMIUM, "args": [*ARGUMENTS, f"--user-data-dir={profile}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        answer = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = f"/session/{answer['sessionId']}"

    def ask(self, method: str, path: str, body: object = None) -> Any:
        content = None if body is None else json.dumps(body)
        self.connection.request(method, path, content, {"Content-Type": "application/json"})
        value = json.loads(self.connection.getresponse().read())["value"]
        if isinstance(value, dict) and "error" in value:
            raise RuntimeError(f"{value['error']}: {value['message']}")
        return value

    def open(self, page: Path) -> None:
        self.ask("POST", f"{self.session}/url", {"url": page.as_uri()})

    def run(self, script: str) -> Any:
        return self.ask("POST", f"{self.session}/execute/sync", {"script": script, "args": []})

    def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height}
        self.ask("POST", f"{self.session}/window/rect", size)

    def complaints(self) -> list[str]:
        entries = self.ask("POST", f"{self.session}/se/log", {"type": "browser"})
        return [each["message"] for each in entries if each["level"] == "SEVERE"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    assert DRIVER is not None
    with subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, text=True) as driver:
        try:
            assert driver.stdout is not None
            started = (re.search(r"on port (\d+)", line) for line in driver.stdout)
            port = int(next(match.group(1) for match in started if match and match.group(1) != "0"))
            opened = Browser(port, tmp_path_factory.mktemp("profile"))
            yield opened
            opened.ask("DELETE", opened.session)
            opened.connection.close()
        finally:
            driver.terminate()


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Browser:
    path = tmp_path / "answer.html"
    html = answer_page([answered(), abstained(), answered()], roots=ROOTS)
    path.write_text(html, encoding="utf-8")
    browser.resize(1200, 900)
    browser.open(path)
    return browser


def test_every_picture_loads_and_the_page_complains_of_nothing(page: Browser) -> None:
    widths = page.run("return [...document.images].map(i => i.complete ? i.naturalWidth : 0)")
    assert len(widths) == 6  # per answer: the question's, the page's and the report's
    assert min(widths) > 0
    assert page.complaints() == []


def test_every_marker_leads_to_its_evidence_and_back(page: Browser) -> None:
    led = page.run(
        """
        return [...document.querySelectorAll('a.marker, .graph a')].map(a => {
          const number = (a.querySelector('tspan.marker') || a).textContent.replace(/\\D/g, '');
          a.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true, view: window}));
          const card = document.querySelector('.card:target');
          if (!card || card.closest('article') !== a.closest('article')) return null;
          const own = card.querySelector('.number').textContent;
          const back = card.querySelector('a.back');
          const place = back && document.querySelector(back.getAttribute('href'));
          return [number, own, place ? place.textContent : null];
        })
        """
    )
    # Each of two answers: [1, 2], [1], [3-4] are five links, and two edges of the graph, each drawn
    # twice.
    assert len(led) == 18
    assert all(each is not None and each[0] == each[1] == each[2] for each in led)


def test_the_page_has_its_style(page: Browser) -> None:
    assert page.run("return getComputedStyle(document.querySelector('.card')).borderRadius") == (
        "10px"
    )


@pytest.mark.parametrize("width", [500, 1200])
def test_nothing_sticks_out_of_the_page(page: Browser, width: int) -> None:
    page.resize(width, 900)
    wide, inner = page.run("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= inner


def test_every_link_is_reached_by_the_keyboard(page: Browser) -> None:
    assert page.run("return [...document.querySelectorAll('a')].every(a => a.tabIndex === 0)")
