"""The evaluation page in a real browser: its pictures, its drawings, narrow and dark."""

import base64
from pathlib import Path

import pytest

from medrag.evaluation.runs import Run
from medrag.evaluation.scores import Scores
from medrag.reporting.evaluation import evaluation_page
from tests.reporting.made import ROOTS
from tests.reporting.test_page_in_chromium import CHROMIUM, DRIVER, Browser

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="chromium and chromedriver are not on this machine"
)


@pytest.fixture(scope="module")
def page(
    browser: Browser, run: Run, scores: Scores, tmp_path_factory: pytest.TempPathFactory
) -> Browser:
    path = tmp_path_factory.mktemp("page") / "evaluation.html"
    path.write_text(evaluation_page(run, scores, roots=ROOTS), encoding="utf-8")
    browser.open(path)
    return browser


def emulate(page: Browser, width: int, scheme: str = "light", media: str = "screen") -> None:
    """Give the page a width that no window can have, and a scheme of colours."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    colours = [{"name": "prefers-color-scheme", "value": scheme}]
    for command, parameters in (
        ("Emulation.setDeviceMetricsOverride", size),
        ("Emulation.setEmulatedMedia", {"media": media, "features": colours}),
    ):
        asked = {"cmd": command, "params": parameters}
        page.ask("POST", f"{page.session}/goog/cdp/execute", asked)


def test_every_picture_loads_and_the_page_complains_of_nothing(page: Browser) -> None:
    page.run("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    widths = page.run("return [...document.images].map(i => i.complete ? i.naturalWidth : 0)")
    assert len(widths) > 40
    assert min(widths) > 0
    assert page.complaints() == []


@pytest.mark.parametrize("width", [360, 420, 768, 1280])
def test_nothing_sticks_out_of_the_page(page: Browser, width: int) -> None:
    emulate(page, width)
    wide, inner = page.run("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= inner


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_what_they_stand_on(page: Browser, scheme: str) -> None:
    emulate(page, 1280, scheme)
    colours = page.run(
        """
        const brightness = c => c.match(/\\d+/g).slice(0, 3).reduce((a, v) => a + +v, 0) / 765;
        const paper = brightness(getComputedStyle(document.body).backgroundColor);
        return [...document.querySelectorAll('.says, .plot text, .strip th, .track circle')].map(
          e => Math.abs(brightness(e.namespaceURI.endsWith('svg') ? getComputedStyle(e).fill
                                   : getComputedStyle(e).color) - paper));
        """
    )
    assert len(colours) > 20
    assert min(colours) > 0.25


def test_drawings_are_as_wide_as_their_place_and_have_a_height(page: Browser) -> None:
    emulate(page, 1280)
    boxes = page.run(
        "return [...document.querySelectorAll('svg')].map(e => {"
        "const box = e.getBoundingClientRect(); return [box.width, box.height]; })"
    )
    assert len(boxes) > 30
    assert all(width > 40 and height > 10 for width, height in boxes)


def test_the_page_prints(page: Browser) -> None:
    printed = page.ask("POST", f"{page.session}/print", {"background": True})
    assert base64.b64decode(printed).startswith(b"%PDF")


def test_the_page_is_small_enough_to_send(page: Browser) -> None:
    path = Path(str(page.run("return decodeURI(location.pathname)")))
    assert path.stat().st_size < 15_000_000
