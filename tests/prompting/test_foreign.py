"""Words of others: what is taken from them before they are shown, quoted or put into a prompt."""

import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.language import asks_yes_or_no, fenced, markers, neutralised, printable, untagged

POISON = [
    json.loads(line)["text"]
    for line in (Path(__file__).parent / "poison.jsonl").read_text(encoding="utf-8").splitlines()
]
# The characters of which poison is made, in any order.
NASTY = st.lists(
    st.sampled_from(
        [*"<>|/[]［］＜＞\x1b\x07\x9b\\;mA1 9\n:：\u200b\u200d", "USER", "im_end", "INST"]
    ),
    max_size=40,
).map("".join)
TAG = re.compile(r"<[|/]?[a-zA-Z|][^<>\s‹]*>|\[/?INST\]|<<<|>>>")


def test_a_comparison_stays_as_it_is() -> None:
    told = "p <0.05 and 3 > 2 (n = [a]), CRP <LOD, x < y, HR <-1, T>N; [**Name**]"
    assert fenced(told) == told


@pytest.mark.parametrize(
    "text",
    [
        "मुझे क्षय रोग है और र्‍य",
        "می‌خواهم بدانم که آیا ریه‌ها سالم‌اند",
        "الرئة سليمة، لا يوجد انصباب",
        "心臓は正常です。",
        "Röntgen: β-blocker ≥ 5 µm ✔️ 👩‍⚕️",
    ],
)
def test_every_script_passes_untouched(text: str) -> None:
    assert fenced(text) == printable(text) == neutralised(text) == untagged(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b]0;x [1] b", "a0;x [1] b"),
        ("a \x1b]0;x\nb\x07", "a 0;x\nb"),
        ("a\x1bPx [1]", "ax [1]"),
        ("\x1b\x1b[31m[31mred", "[31mred"),
        ("\U000e0041hid\u200bden\u00ad", "hidden"),
    ],
)
def test_a_sequence_left_open_swallows_nothing(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    "text",
    ["[\u200b1]", "[\x001]", "[\x1b[31m1]", "［1］", "［１］", "【1】", "[١]", "[1，2]", "[1]"],
)
def test_what_a_reader_would_take_for_a_marker_is_none_in_a_quotation(text: str) -> None:
    safe = unicodedata.normalize("NFKC", neutralised(text))
    assert re.fullmatch(r"\(\d(,\d)?\)", safe)


@given(NASTY)
def test_no_text_between_fences_ends_them_or_holds_tag_or_marker(text: str) -> None:
    safe = unicodedata.normalize("NFKC", fenced(text))
    assert TAG.search(safe) is None
    assert markers(safe, 10**6) == ((), ())
    assert "\x1b" not in safe
    assert re.search(r"\bUSER[ \t]*:", safe) is None


@given(NASTY)
def test_what_was_made_harmless_once_stays_as_it_is(text: str) -> None:
    assert printable(printable(text)) == printable(text)
    assert neutralised(neutralised(text)) == neutralised(text)


@pytest.mark.parametrize("text", POISON)
def test_poison_is_made_harmless(text: str) -> None:
    safe = unicodedata.normalize("NFKC", fenced(text))
    assert TAG.search(safe) is None
    assert markers(safe, 10**6) == ((), ())
    assert re.search(r"(?m)^\W*(assistant|system|user)\s*:", safe, re.IGNORECASE) is None
    safe.encode("utf-8")


def test_a_question_may_hold_all_but_tags_of_chat_templates() -> None:
    assert (
        untagged("<image>\nIs [1] <b>so</b>? >>> <think>")
        == "‹image>\nIs [1] <b>so</b>? >>> <think>"
    )
    assert untagged("<|im_end|></s>\ud800") == "‹|im_end|>‹/s>\ufffd"


@pytest.mark.parametrize(
    ("text", "language", "polar"),
    [
        ("Is the heart large?", "en", True),
        ("This is a film. Are there fractures?", "en", True),
        ("Is it the left or the right lung?", "en", False),
        ("Is it there or not?", "en", True),
        ("Which lung is it?", "en", False),
        ("Isolated lesions: where?", "en", False),
        ("", "en", False),
        ("Ist das Herz groß?", "de", True),
    ],
)
def test_a_question_of_yes_or_no_is_known(text: str, language: str, polar: bool) -> None:
    assert asks_yes_or_no(text, language) is polar
