"""What becomes of claims that their evidence does not support."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.language import without_markers
from medrag.records import Answer, Claim, Prompt, Quantity, Question, Support
from medrag.verification.attaching import attached
from medrag.verification.revising import NOTHING_LEFT, failed, redo_prompt, removed, taken_out
from tests.verification.test_attaching import EVIDENCE, PIECES, answered

TEXT = "The femur is long [1]. The heart is blue [2]. No effusion [3]."


def judged(text: str, *supports: Support) -> Answer:
    given = answered(text)
    claims = [replace(c, support=s) for c, s in zip(given.claims, supports, strict=True)]
    return replace(given, claims=tuple(claims))


@pytest.mark.parametrize(
    ("text", "supports", "left"),
    [
        (TEXT, "scs", "The femur is long [1]. No effusion [3]."),
        (TEXT, "uss", "The heart is blue [2]. No effusion [3]."),
        (TEXT, "ssu", "The femur is long [1]. The heart is blue [2]."),
        (TEXT, "-cu", "The femur is long [1]."),
        ("A bone. [1] A heart. [2] A lung.", "sus", "A bone. [1] A lung."),
        ("- A bone [1].\n- A heart [2].\n- A lung.", "sus", "- A bone [1].\n- A lung."),
        ("1. A bone [1].\n2. A heart [2].", "us", "2. A heart [2]."),
        ("# Bones\n\nA bone [1].\n\nA heart [2].", "-us", "# Bones\n\n\nA heart [2]."),
        ("A bone [1].\nA heart. A lung [2].", "scs", "A bone [1].\nA lung [2]."),
    ],
)
def test_claims_that_failed_leave_the_text(text: str, supports: str, left: str) -> None:
    names: dict[str, Support] = {
        "s": "supported", "u": "unsupported", "c": "contradicted", "-": "unchecked",
    }  # fmt: skip
    given = judged(text, *(names[each] for each in supports))
    found = removed(given)
    assert found.text == left
    assert found.claims == tuple(c for c in given.claims if c.support in ("supported", "unchecked"))
    assert not found.abstained


def test_citations_and_numbers_of_what_left_leave_too_and_the_trace_tells() -> None:
    given = judged("A stone of 12 mm [1]. A cyst of 3 cm [2].", "contradicted", "supported")
    given = replace(given, quantities=(Quantity(12, "mm"), Quantity(30, "mm"), Quantity(3, "cm")))
    found = removed(given)
    assert [citation.marker for citation in found.citations] == [2]
    # 3 cm are still there, in whatever unit.
    assert found.quantities == (Quantity(30, "mm"), Quantity(3, "cm"))
    claim = {"claim": 0, "text": "A stone of 12 mm.", "support": "contradicted"}
    assert found.trace == ({"step": "removed", "claims": [claim]},)


def test_what_was_taken_out_can_be_told_whatever_the_trace_holds() -> None:
    given = judged("A stone of 12 mm [1]. A cyst of 3 cm [2].", "contradicted", "supported")
    assert taken_out(given) == ()
    assert taken_out(removed(given)) == (Claim("A stone of 12 mm.", support="contradicted"),)
    strange = ({"step": "removed"}, {"step": "removed", "claims": [1, {"text": 2}]}, {"tool": "x"})
    assert taken_out(replace(given, trace=strange)) == ()


@pytest.mark.parametrize("text", ["A bone [1].", "# Bones\n\nA bone [1].", "A bone [1]. Why?"])
def test_where_no_statement_is_left_the_answer_abstains(text: str) -> None:
    given = answered(text)
    claims = tuple(
        replace(c, support="unsupported" if c.text == "A bone." else "unchecked")
        for c in given.claims
    )
    found = removed(replace(given, claims=claims, quantities=(Quantity(1),)))
    assert (found.text, found.abstained) == (NOTHING_LEFT, True)
    assert (found.claims, found.citations, found.quantities) == ((), (), ())
    assert found.trace[-1]["step"] == "removed"
    assert removed(found) is found


def test_nothing_is_taken_from_an_answer_that_did_not_fail() -> None:
    for answer in (
        judged(TEXT, "supported", "unchecked", "supported"),
        replace(judged(TEXT, "contradicted", "unchecked", "supported"), abstained=True),
    ):
        assert removed(answer) is answer


@given(
    st.lists(st.sampled_from(PIECES), max_size=10).map(" ".join),
    st.lists(st.sampled_from(["supported", "unsupported", "contradicted", "unchecked"])),
)
def test_what_is_left_reads_as_the_claims_that_are_left(text: str, supports: list[Support]) -> None:
    given = answered(text)
    supports += ["supported"] * len(given.claims)
    claims = tuple(
        replace(c, support=s) for c, s in zip(given.claims, supports, strict=False)
    )  # fmt: skip
    found = removed(replace(given, claims=claims))
    assert failed(found) == ()
    if found.abstained or not failed(replace(given, claims=claims)):
        return
    left = [claim.text for claim in found.claims]
    assert [c.text for c in claims if c.support in ("supported", "unchecked")] == left
    for claim in found.claims:
        assert claim.text in without_markers(found.text)


def test_a_model_is_told_what_to_mend_and_why() -> None:
    given = judged(TEXT, "supported", "contradicted", "unsupported")
    prompt = Prompt(Question("What is seen?"), EVIDENCE, ("Look.",))
    found = redo_prompt(prompt, given)
    assert (found.parts, found.evidence) == (prompt.parts, prompt.evidence)
    [exchange] = found.turns
    assert exchange.reply == TEXT
    [asked] = exchange.parts
    assert isinstance(asked, str)
    assert '2. "The heart is blue.": [2] says otherwise.' in asked
    assert '3. "No effusion.": [3] does not say so.' in asked
    assert "femur" not in asked
    again = redo_prompt(found, given)
    assert len(again.turns) == 2


def test_a_model_reads_its_own_words_without_what_was_attached() -> None:
    given = attached(answered("The femur is the longest bone."), EVIDENCE, least=0.5)
    given = replace(given, claims=(replace(given.claims[0], support="unsupported"),))
    found = redo_prompt(Prompt(given.question, EVIDENCE), given)
    assert found.turns[0].reply == "The femur is the longest bone."


def test_long_claims_are_quoted_in_part_and_cannot_cite() -> None:
    long = "See [7] " + "bone " * 200
    given = replace(answered("A."), claims=(replace(answered("A bone.").claims[0], text=long,
                    support="unsupported"),))  # fmt: skip
    [exchange] = redo_prompt(Prompt(given.question, EVIDENCE), given).turns
    [asked] = exchange.parts
    assert isinstance(asked, str)
    assert "(7)" in asked
    assert "no evidence is cited for it" in asked
    assert len(asked) < 1000


def test_without_a_claim_that_failed_there_is_nothing_to_redo() -> None:
    with pytest.raises(ValueError, match="nothing to redo"):
        redo_prompt(Prompt(Question("?"), EVIDENCE), answered(TEXT))
