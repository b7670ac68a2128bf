import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from medrag.answering import OnePassAnswerer, answer_id
from medrag.errors import BudgetSpentError, MedragError
from medrag.generation.extractive import ExtractiveGenerator
from medrag.prompting.templates import build_prompt
from medrag.records import (
    Answer,
    Generation,
    Hit,
    ImageRef,
    Passage,
    Prompt,
    Question,
    Selection,
    Source,
    Usage,
)

HIT = Hit(Passage("p1", "text", "The heart has four chambers.", Source("c", "d", "0")), 0.5, 1)
KEPT = Selection((HIT,))


class Says:
    """A generator that says what the question says, and fails on "fail"."""

    name = "says"

    def __init__(self) -> None:
        self.calls = 0

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        self.calls += 1
        if any(prompt.question.text == "fail" for prompt in prompts):
            raise RuntimeError("out of memory")
        return [Generation(p.question.text, usage=Usage(1, 2), confidence=0.5) for p in prompts]


class SupportsAll:
    def verify(self, answers: Sequence[Answer]) -> list[Answer]:
        return [
            replace(a, claims=tuple(replace(c, support="supported") for c in a.claims))
            for a in answers
        ]


def test_an_answer_carries_claims_citations_selection_model_and_usage() -> None:
    answer = OnePassAnswerer(generator=Says()).answer([Question(text="So it is [1].")], [KEPT])[0]
    assert answer.text == "So it is [1]."
    assert [(claim.text, claim.markers) for claim in answer.claims] == [("So it is.", (1,))]
    assert [citation.passage for citation in answer.citations] == [HIT.passage]
    assert answer.selection == KEPT
    assert answer.model == "says"
    assert answer.usage == Usage(1, 2)
    assert answer.confidence == 0.5
    assert answer.error is None
    assert set(answer.timings) == {"prompt", "generate", "cite", "verify"}


def test_a_marker_that_points_to_nothing_is_an_error_of_the_answer() -> None:
    answer = OnePassAnswerer(generator=Says()).answer([Question(text="So [4].")], [KEPT])[0]
    assert answer.text == "So [4]."
    assert answer.error == "[4] points to nothing: the prompt holds markers 1 to 1"


def test_a_failure_on_one_prompt_leaves_the_others_answered() -> None:
    questions = [Question(text=text) for text in ("a [1]", "fail", "b [1]")]
    answers = OnePassAnswerer(generator=Says()).answer(questions, [KEPT] * 3)
    assert [answer.text for answer in answers] == ["a [1]", "", "b [1]"]
    assert [answer.question for answer in answers] == questions
    assert answers[1].error == "says failed: RuntimeError: out of memory"
    assert answers[1].selection == KEPT


def test_a_batch_without_failure_is_generated_in_one_call() -> None:
    generator = Says()
    OnePassAnswerer(generator=generator).answer([Question(text="a")] * 5, [KEPT] * 5)
    assert generator.calls == 1


def test_a_generator_that_gives_too_few_texts_is_an_error() -> None:
    class Silent(Says):
        def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
            return []

    answer = OnePassAnswerer(generator=Silent()).answer([Question(text="a")], [KEPT])[0]
    assert answer.error == "says failed: ValueError: says gave 0 texts for 1 prompts"


def test_a_mistake_in_the_generator_is_not_hidden() -> None:
    class Broken(Says):
        def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
            raise TypeError("a bug")

    with pytest.raises(TypeError, match="a bug"):
        OnePassAnswerer(generator=Broken()).answer([Question(text="a")], [KEPT])


def test_a_verifier_says_which_claims_are_supported() -> None:
    answerer = OnePassAnswerer(generator=Says(), verifier=SupportsAll())
    answer = answerer.answer([Question(text="So [1].")], [KEPT])[0]
    assert [claim.support for claim in answer.claims] == ["supported"]
    unverified = OnePassAnswerer(generator=Says()).answer([Question(text="So [1].")], [KEPT])[0]
    assert [claim.support for claim in unverified.claims] == ["unchecked"]


def test_an_answer_is_named_by_question_evidence_and_model_and_nothing_else() -> None:
    def named(question: Question, selection: Selection = KEPT, model: str = "m") -> str:
        return answer_id(build_prompt(question, selection), model)

    here = ImageRef(path="/here/a.png", sha256="1" * 64)
    there = ImageRef(path="/there/b.png", sha256="1" * 64)
    other = ImageRef(path="/here/a.png", sha256="2" * 64)
    asked = Question(text="Why?", images=(here,))
    assert named(asked) == named(replace(asked, images=(there,)))
    names = {
        named(asked),
        named(replace(asked, images=(other,))),
        named(replace(asked, text="How?")),
        named(replace(asked, options=("a", "b"))),
        named(asked, Selection(())),
        named(asked, model="n"),
    }
    assert len(names) == 6


def test_questions_and_selections_must_pair_up() -> None:
    with pytest.raises(ValueError, match="1 questions need as many selections, got 2"):
        OnePassAnswerer(generator=Says()).answer([Question(text="a")], [KEPT, KEPT])


def test_no_question_gives_no_answer() -> None:
    assert OnePassAnswerer(generator=ExtractiveGenerator()).answer([], []) == []


def test_a_claim_without_a_marker_gets_that_of_its_evidence_if_that_is_wanted() -> None:
    said = "The heart has four chambers."

    def texts(**options: bool) -> list[str]:
        answerer = OnePassAnswerer(generator=Says(), **options)
        return [each.text for each in answerer.answer([Question(said)], [KEPT])]

    assert texts() == ["The heart has four chambers [1]."]
    assert texts(attach=False) == [said]


def test_an_abstention_is_marked_and_cites_nothing() -> None:
    answerer = OnePassAnswerer(generator=ExtractiveGenerator())
    answer = answerer.answer([Question(text="How tall is Mount Everest?")], [KEPT])[0]
    assert answer.abstained
    assert answer.citations == ()
    assert [claim.text for claim in answer.claims] == ["No evidence found in this library."]


class Draws(Says):
    """Cannot draw for "odd"."""

    def sample(self, prompts: Sequence[Prompt], n: int) -> list[list[Generation]]:
        if any(prompt.question.text == "odd" for prompt in prompts):
            raise MedragError("the server is gone")
        return [[Generation(prompt.question.text)] * n for prompt in prompts]


def test_an_answer_is_kept_where_no_further_texts_can_be_drawn() -> None:
    answerer = OnePassAnswerer(generator=Draws(), samples=2)
    odd, even = answerer.answer([Question(text="odd"), Question(text="even")], [KEPT, KEPT])
    assert (odd.text, odd.error, "agreement" in odd.signals) == ("odd", None, False)
    assert even.signals["agreement"] == 1


def test_a_spent_budget_is_no_matter_of_one_answer() -> None:
    class Poor(Draws):
        def sample(self, prompts: Sequence[Prompt], n: int) -> list[list[Generation]]:
            raise BudgetSpentError("nothing is left")

    with pytest.raises(BudgetSpentError):
        OnePassAnswerer(generator=Poor(), samples=2).answer([Question(text="odd")], [KEPT])


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (Generation(" "), "the model wrote no answer"),
        (Generation("", finish_reason="unclosed"), "before its reply was cut; let it write more"),
        (Generation("The heart", finish_reason="length"), "the answer was cut; let it write more"),
        (Generation("No [7].", finish_reason="length"), r"was cut; .*; \[7\] points to nothing"),
    ],
)
def test_an_answer_that_is_not_whole_says_so(made: Generation, told: str) -> None:
    class Made(Says):
        def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
            return [made for _ in prompts]

    (answer,) = OnePassAnswerer(generator=Made()).answer([Question(text="What?")], [KEPT])
    assert answer.text.startswith(made.text)
    assert re.search(told, answer.error or "")
