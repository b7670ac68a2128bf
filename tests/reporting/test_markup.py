import re

from hypothesis import given
from hypothesis import strategies as st

from medrag.reporting.markup import element, joined, text


@given(st.text(st.characters()))
def test_a_text_never_ends_up_as_markup_or_as_a_control(value: str) -> None:
    shown = text(value)
    assert not re.search(r"[<>\"']|&(?!amp;|lt;|gt;|quot;|#x27;)", shown)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    shown.encode("utf-8")


def test_a_direction_override_is_shown_by_its_code() -> None:
    assert text("no\u202eon") == "no[U+202E]on"


def test_an_element_escapes_its_texts_and_attributes_but_not_its_elements() -> None:
    inner = element("b", "<i>")
    assert (
        element("p", "a & b", inner, title='say "x"', class_="c", id=None)
        == '<p title="say &quot;x&quot;" class="c">a &amp; b<b>&lt;i&gt;</b></p>'
    )


def test_markup_survives_joining_and_text_does_not() -> None:
    assert joined(element("br"), "<br>", by=" ") == "<br> &lt;br&gt;"
