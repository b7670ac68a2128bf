import base64
import io

from PIL import Image

from medrag.reporting.evaluation.pictures import PictureBudget
from medrag.reporting.evidence import Picture, encoded


def picture(side: int = 900) -> Picture:
    uri, width, height = encoded(Image.radial_gradient("L").resize((side, side)), side)
    return Picture("alt", "place", uri, width, height)


def test_a_picture_is_shown_no_larger_than_the_page_wants_it() -> None:
    shown = PictureBudget(n_characters=10**6).figures([picture()], longest=300)
    code = shown.split("base64,")[1].split('"')[0]
    assert Image.open(io.BytesIO(base64.b64decode(code))).size == (300, 300)
    assert 'width="300"' in shown


def test_a_small_picture_stays_as_it_is() -> None:
    small = picture(200)
    assert str(small.uri) in PictureBudget(n_characters=10**6).figures([small])


def test_what_exceeds_the_budget_is_told_in_words() -> None:
    one = picture(200)
    budget = PictureBudget(n_characters=len(one.uri or "") + 10)
    shown = budget.figures([one, one])
    assert shown.count("<img") == 1
    assert "as many pictures as it can bear" in shown


def test_a_picture_that_is_missing_is_told_in_words() -> None:
    budget = PictureBudget(n_characters=10)
    assert "It is gone." in budget.figures([Picture("alt", problem="It is gone.")])


def test_no_pictures_need_no_place() -> None:
    assert PictureBudget(n_characters=10).figures([]) == ""
