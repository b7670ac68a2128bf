"""Claims that rest on records of other patients alone."""

from dataclasses import replace

import pytest

from medrag.records import Answer, Citation, Claim, Kind, Passage, Question, Source
from medrag.verification.others import of_another_patient, resting_on_others


def passage(kind: Kind, subject: str | None = None) -> Passage:
    return Passage(
        id=kind, kind=kind, text="Words.", source=Source("c", "d", "0" * 64, subject=subject)
    )


ANSWER = Answer(
    Question("Is there an effusion?", ("film.png",)),
    "One [1]. Two [2]. Both [1, 2]. Held [1]. Bare.",
    claims=(
        Claim("One.", (1,), "supported"), Claim("Two.", (2,), "supported"),
        Claim("Both.", (1, 2), "supported"), Claim("Held.", (1,), "unsupported"),
        Claim("Bare.", (), "supported"),
    ),
    citations=(Citation(1, passage("report"), 1.0), Citation(2, passage("text"), 1.0)),
)  # fmt: skip


def test_a_claim_that_cites_another_patient_alone_is_found() -> None:
    assert resting_on_others(ANSWER) == {0}


def test_a_question_of_no_patient_has_no_other_patients() -> None:
    assert resting_on_others(replace(ANSWER, question=Question("What is an effusion?"))) == set()


@pytest.mark.parametrize(
    ("kind", "subject", "is_other"),
    [("report", "p", False), ("report", "q", True), ("case", None, True), ("text", "q", False)],
)
def test_a_record_of_the_patient_in_question_is_no_other(
    kind: Kind, subject: str | None, is_other: bool
) -> None:
    assert of_another_patient(passage(kind, subject), Question("?", subject="p")) is is_other
