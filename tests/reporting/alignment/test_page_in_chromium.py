"""The comparison in a real browser: narrow and wide, light and dark."""

import pytest

from medrag.alignment.comparing import AlignmentComparison
from medrag.reporting.alignment import alignment_page
from tests.reporting.evaluation.test_page_in_chromium import emulate
from tests.reporting.test_page_in_chromium import CHROMIUM, DRIVER, Browser

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="chromium and chromedriver are not on this machine"
)


@pytest.fixture(scope="module")
def page(
    browser: Browser, found: AlignmentComparison, tmp_path_factory: pytest.TempPathFactory
) -> Browser:
    path = tmp_path_factory.mktemp("page") / "alignment.html"
    path.write_text(alignment_page(found), encoding="utf-8")
    browser.open(path)
    return browser


def test_the_page_complains_of_nothing(page: Browser) -> None:
    assert page.complaints() == []


@pytest.mark.parametrize("width", [360, 420, 768, 1280])
def test_nothing_sticks_out_of_the_page(page: Browser, width: int) -> None:
    emulate(page, width)
    page.run("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    wide, inner = page.run("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= inner


def test_the_note_is_seen_before_anything_is_scrolled(page: Browser) -> None:
    emulate(page, 420)
    bottom = page.run(
        "return document.querySelector('.first-of-all').getBoundingClientRect().bottom"
    )
    assert bottom < 400
