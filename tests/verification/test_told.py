"""Cases that were answered by yes or no are evidence for what that states."""

import pytest

from medrag.records import Answer, Citation, Claim, Passage, Question, Source
from medrag.verification.lexical import LexicalVerifier, grounds
from medrag.verification.told import told


def case(question: str, answer: str) -> Passage:
    fields = {"question": question, "answer": answer}
    text = f"Question: {question}\nAnswer: {answer}"
    return Passage("c", "case", text, Source("c", "d", "0"), fields=fields)


@pytest.mark.parametrize(
    ("claim", "question", "answer", "support"),
    [
        ("No pneumothorax.", "Is there a pneumothorax?", "No, the lung is out.", "supported"),
        ("There is a pneumothorax.", "Is there a pneumothorax?", "no", "contradicted"),
        ("There is a pneumothorax.", "Is there a pneumothorax?", "Yes", "supported"),
        ("The heart is enlarged.", "Is the heart enlarged?", "yes", "supported"),
        ("The heart is enlarged.", "Is the heart enlarged?", "No", "contradicted"),
        ("The organ is the brain.", "Which organ is shown?", "Lung", "unsupported"),
    ],
)  # fmt: skip
def test_a_claim_is_held_against_what_a_case_states(
    claim: str, question: str, answer: str, support: str
) -> None:
    assert grounds(claim, [case(question, answer)]).support == support


def test_other_passages_and_open_cases_tell_their_text() -> None:
    open_case = case("Which organ is shown?", "Lung")
    assert told(open_case) == open_case.text
    odd = case("Is it left or right?", "yes")
    assert told(odd) == odd.text


@pytest.mark.parametrize(("said", "support"), [("Yes.", "contradicted"), ("No.", "supported")])
def test_a_bare_yes_or_no_is_read_with_its_question(said: str, support: str) -> None:
    passage = Passage("p", "text", "There is no pneumothorax.", Source("c", "d", "0"))
    answer = Answer(
        Question("Is there a pneumothorax?"),
        f"{said[:-1]} [1].",
        claims=(Claim(said, (1,)),),
        citations=(Citation(1, passage, 1.0),),
    )
    assert LexicalVerifier().verify([answer])[0].claims[0].support == support
