"""How far answers rest on what they cite."""

import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer

from medrag.evaluation.grounding import MEASURES, claim_support, grounding_values
from medrag.records import (
    Answer,
    Box,
    Citation,
    Claim,
    Hit,
    ImageRef,
    Item,
    Kind,
    Passage,
    Question,
    QuestionRegion,
    Region,
    Selection,
    Source,
)
from medrag.verification.lexical import LexicalVerifier

ITEM = Item("1", Question("What is seen?"))
FEMUR = "The femur is the longest bone."
HEART = "The heart pumps blood through the body."


def passage(name: str, text: str, kind: Kind = "text", **place: object) -> Passage:
    source = Source("c", f"{name}.pdf", "0" * 64, **place)  # type: ignore[arg-type]
    return Passage(name, kind, text, source, fields={"doc_id": f"doc-{name}"})


def answer(
    claims: Sequence[Claim], passages: Sequence[Passage], *, cited: Sequence[int] = ()
) -> Answer:
    kept = tuple(Hit(each, 1.0, rank) for rank, each in enumerate(passages, start=1))
    used = sorted({*cited, *(marker for claim in claims for marker in claim.markers)})
    return Answer(
        Question("What is seen?"),
        " ".join(claim.text for claim in claims),
        claims=tuple(claims),
        citations=tuple(Citation(each, passages[each - 1], 1.0) for each in used),
        selection=Selection(kept),
    )


def test_citations_are_measured_by_words_where_nothing_was_verified() -> None:
    there = [passage("a", FEMUR), passage("b", HEART)]
    claims = [
        # The first citation supports it alone; the second does not, and the first does without it.
        Claim(FEMUR, (1, 2)),
        # Not what the passage says.
        Claim("The liver makes bile.", (2,)),
        # No citation.
        Claim("The skin is an organ.", ()),
    ]
    values = grounding_values(ITEM, answer(claims, there))
    assert values["citation_recall"] == pytest.approx(1 / 3)
    assert values["citation_precision"] == pytest.approx(1 / 3)
    assert "claims_supported" not in values


def test_citations_that_support_a_claim_only_together_both_count() -> None:
    # Stems: femur, longest, bone, heart, pump, blood: half in either passage.
    claim = Claim("The femur is the longest bone, the heart pumps blood.", (1, 2))
    there = [passage("a", FEMUR), passage("b", HEART)]
    values = grounding_values(ITEM, answer([claim], there))
    assert values["citation_recall"] == values["citation_precision"] == 1
    alone = grounding_values(ITEM, answer([replace(claim, markers=(1,))], there))
    assert alone["citation_recall"] == alone["citation_precision"] == 0


def test_what_a_verifier_said_goes_before_words() -> None:
    claims = [
        Claim(FEMUR, (1,), "unsupported"),
        Claim("Nothing of the kind.", (1,), "supported"),
        Claim("Quite the contrary.", (1,), "contradicted"),
        Claim("Who knows.", (1,), "unchecked"),
        Claim("No source.", ()),
    ]
    values = grounding_values(ITEM, answer(claims, [passage("a", FEMUR)]))
    assert values["citation_recall"] == pytest.approx(1 / 5)
    assert values["citation_precision"] == pytest.approx(1 / 4)
    # A claim without a citation has no support.
    shares = {name: values[f"claims_{name}"] for name in ("supported", "unsupported")}
    assert shares == pytest.approx({"supported": 1 / 5, "unsupported": 2 / 5})
    assert values["claims_contradicted"] == values["claims_unchecked"] == pytest.approx(1 / 5)


def test_gold_is_found_by_passage_and_by_document() -> None:
    there = [passage(name, FEMUR) for name in "abc"]
    given = answer([Claim(FEMUR, (1, 2))], there)
    item = replace(ITEM, gold_passages=("a", "doc-c", "z.pdf"))
    values = grounding_values(item, given)
    # Cited are a (gold) and b; of the gold a, c and z, only a is cited.
    assert values["gold_citation_precision"] == 1 / 2
    assert values["gold_citation_recall"] == pytest.approx(1 / 3)
    assert values["gold_in_evidence"] == 1
    by_file = grounding_values(replace(ITEM, gold_passages=("b.pdf",)), given)
    assert by_file["gold_citation_recall"] == 1
    other = grounding_values(replace(ITEM, gold_passages=("y",)), given)
    assert other["gold_in_evidence"] == other["gold_citation_precision"] == 0
    assert not any(name.startswith("gold") for name in grounding_values(ITEM, given))


def test_an_answer_that_abstained_states_nothing_but_its_evidence_counts() -> None:
    given = replace(answer([Claim("I cannot say.")], [passage("a", FEMUR)]), abstained=True)
    item = replace(ITEM, gold_passages=("a",))
    assert grounding_values(item, given) == {"gold_in_evidence": 1.0}
    failed = replace(given, abstained=False, text="", claims=(), error="out of memory")
    assert grounding_values(item, failed) == {"gold_in_evidence": 1.0}


def boxed(item_box: Box, given: tuple[int, Box]) -> float:
    item = replace(ITEM, regions=(QuestionRegion(0, box=item_box),))
    regions = (QuestionRegion(given[0], box=given[1]),)
    return grounding_values(item, replace(answer([Claim("Here.")], []), regions=regions))[
        "box_overlap"
    ]


def test_boxes_overlap_on_the_same_picture_only() -> None:
    # Two squares of 4, sharing 2 of 6.
    assert boxed((0, 0, 2, 2), (0, (1, 0, 3, 2))) == pytest.approx(2 / 6)
    assert boxed((0, 0, 2, 2), (0, (0, 0, 2, 2))) == 1
    assert boxed((0, 0, 2, 2), (1, (0, 0, 2, 2))) == 0
    assert boxed((0, 0, 2, 2), (0, (3, 3, 4, 4))) == 0
    assert boxed((0, 0, 2, 2), (0, (2, 2, 0, 0))) == 0


def test_a_box_of_a_cited_picture_that_is_the_questions_counts_as_given() -> None:
    image = ImageRef("a.png", sha256="1" * 64)
    there = Passage(
        "a", "figure", "", Source("c", "d", "0" * 64), (replace(image, box=(0, 0, 2, 2)),)
    )
    given = answer([Claim("Here.", (1,))], [there])
    given = replace(given, question=Question("?", images=(image,)))
    item = replace(ITEM, regions=(QuestionRegion(0, box=(0, 0, 2, 4)),))
    assert grounding_values(item, given)["box_overlap"] == 1 / 2


def test_boxes_of_cited_passages_are_compared_with_those_of_gold_on_its_page() -> None:
    figure = passage("a", "Figure 1", regions=(Region(3, (0, 0, 2, 2)), Region(4, (0, 0, 1, 1))))
    beside = replace(
        figure, id="b", source=replace(figure.source, regions=(Region(3, (0, 0, 2, 1)),))
    )
    item = replace(ITEM, gold_passages=("a",))
    given = answer([Claim("As shown.", (2,))], [figure, beside])
    # Half of the box on page 3; nothing on page 4.
    assert grounding_values(item, given)["cited_box_overlap"] == 1 / 4


REPORT = (
    "The heart is enlarged with small bilateral effusions and basal atelectasis. Lines in place."
)


def copied(said: str, kind: Kind = "report", **subject: str) -> dict[str, float]:
    there = [passage("a", REPORT, kind, **subject), passage("b", FEMUR)]
    given = replace(answer([], there), text=said)
    given = replace(given, question=Question("?", subject="patient 1"))
    values = grounding_values(ITEM, given)
    return {name: value for name, value in values.items() if name.startswith("copied")}


def test_runs_of_eight_words_of_another_patient_are_copied() -> None:
    # 8 of 9 words: "the heart is enlarged with small bilateral effusions".
    found = copied("Here, the heart is enlarged with small bilateral effusions [1].")
    assert found == pytest.approx({"copied_words": 8 / 9, "copied_references": 1})
    # 7 words in a row may be chance.
    assert copied("So the heart is enlarged with small bilateral nodules.")["copied_words"] == 0


def test_a_short_sentence_counts_where_it_stands_whole() -> None:
    # 3 words are too few for a sentence, 4 are enough.
    assert copied("Lines in place.") == {"copied_words": 0, "copied_references": 0}
    assert copied("Atelectasis, lines in place. No.")["copied_words"] == pytest.approx(4 / 5)


def test_only_other_patients_are_copied_from() -> None:
    said = REPORT
    assert copied(said, "text") == {}
    assert copied(said, subject="patient 1") == {}
    assert copied(said, subject="patient 2")["copied_words"] == 1


def test_claims_against_their_evidence_are_counted() -> None:
    there = [passage("a", "A right pleural effusion. No pneumothorax.")]
    claims = [
        Claim("There is a left pleural effusion.", (1,)),
        Claim("There is a pneumothorax.", (1,)),
        Claim("There is a right pleural effusion.", (1,)),
        Claim("There is a left nodule.", ()),
    ]
    values = grounding_values(ITEM, answer(claims, there))
    assert values["laterality_contradictions"] == values["negation_contradictions"] == 1
    assert values["laterality_contradicted"] == pytest.approx(1 / 3)
    assert values["negation_contradicted"] == pytest.approx(1 / 3)
    # Both contradicted claims hold all their words: that alone is no support.
    assert values["citation_recall"] == 1 / 4


def test_claim_support_counts_what_could_not_be_checked_apart() -> None:
    there = [passage("a", FEMUR), passage("b", " ")]
    answers = [
        answer([Claim(FEMUR, (1,)), Claim("It is small.", (1,)), Claim("So it is.", (2,))], there),
        answer([Claim("It is.", (2,))], there),
        answer([Claim(FEMUR, ())], there),
        replace(answer([Claim("I cannot say.")], there), abstained=True),
    ]
    found = claim_support(answers, LexicalVerifier())
    # One of two that could be checked; none; one without a citation, which nothing supports; none.
    np.testing.assert_array_equal(found.shares, [0.5, math.nan, 0.0, math.nan])
    assert found.counts == {
        "supported": 1, "unsupported": 1, "contradicted": 0, "unchecked": 2, "uncited": 1,
    }  # fmt: skip
    assert found.answers[0].claims[0].support == "supported"
    assert claim_support([], LexicalVerifier()).shares.shape == (0,)


def test_every_value_is_named_and_finite() -> None:
    there = [passage("a", REPORT, "report", regions=(Region(1, (0, 0, 1, 1)),))]
    item = replace(ITEM, gold_passages=("a",), regions=(QuestionRegion(0, box=(0, 0, 1, 1)),))
    values = grounding_values(item, answer([Claim(REPORT, (1,), "supported")], there))
    assert set(values) == set(MEASURES)
    assert all(math.isfinite(value) for value in values.values())


@pytest.mark.slow
def test_ten_thousand_answers_cost_a_tenth_of_their_overlap_by_rouge() -> None:
    answers = many_answers(10_000)
    item = replace(ITEM, gold_passages=("1",))
    begun = time.process_time()
    for each in answers:
        grounding_values(item, each)
    ours = (time.process_time() - begun) / len(answers)
    # The peer measures overlap alone, of each claim with each passage that was read.
    peer = RougeScorer(["rougeL"])
    begun = time.process_time()
    for each in answers[:100]:
        for claim, hit in itertools.product(each.claims, each.selection.kept):
            peer.score(hit.passage.text, claim.text)
    theirs = (time.process_time() - begun) / 100
    assert ours < theirs / 10


def many_answers(n: int) -> list[Answer]:
    """Make answers of three claims, each over ten of a thousand passages of eleven sentences."""
    generator = np.random.default_rng(0)
    letters = "abcdefghijklmnopqrst"
    nouns = [f"{a}{b}{end}" for a in letters for b in letters for end in ("ma", "nosis", "al")]
    # A word in three is one of the few that every sentence has.
    vocabulary = np.array(nouns + ["the", "of", "is", "with", "left", "no"] * 100)

    def sentence() -> str:
        return " ".join(generator.choice(vocabulary, 18)).capitalize() + "."

    kinds: list[Kind] = ["text", "report", "case", "figure"]
    there = [
        passage(str(k), " ".join(sentence() for _ in range(11)), kinds[k % 4]) for k in range(1000)
    ]
    answers = []
    for _ in range(n):
        read = [there[row] for row in generator.choice(1000, 10, replace=False)]
        said = [each.text.split(". ")[0] + "." for each in read[:2]] + [sentence()]
        claims = [Claim(text, (k,)) for k, text in enumerate(said, start=1)]
        answers.append(answer(claims, read))
    return answers
