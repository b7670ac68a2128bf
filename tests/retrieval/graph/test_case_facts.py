import pytest

from medrag.records import Filter, Question
from medrag.retrieval.graph.case_facts import CaseFactsRetriever
from tests.retrieval.graph.made import PICTURE, Given, Scored, Shelf, by_name, fact, made

ASKED = Question("what is seen?", images=(PICTURE,))
REPORTS = [made(90 + i, "report", "a report", study=study) for i, study in enumerate("abc")]
# Weights are 1, 0.5 and 0.5: shares of the best score.
SIMILAR = Given((REPORTS[0], 0.8), (REPORTS[1], 0.4), (REPORTS[2], 0.4))


def test_facts_of_similar_cases_are_ranked_by_weighted_votes() -> None:
    shelf = Shelf(
        fact(0, "edema", "suggestive_of", "failure", "b"),
        fact(1, "opacity", "suggestive_of", "pneumonia", "a"),
        fact(2, "edema", "suggestive_of", "failure", "c"),
        fact(3, "mass", "suggestive_of", "cancer", "another study"),
        fact(4, "opacity", "suggestive_of", "pneumonia", "c"),
    )
    (hits,) = CaseFactsRetriever(rows=shelf, cases=SIMILAR).retrieve([ASKED], 10, [Filter()])
    assert [hit.passage.id for hit in hits] == ["p1", "p0"]
    # of a weight of 2, opacity has 1 + 0.5 and edema 0.5 + 0.5
    assert [hit.score for hit in hits] == pytest.approx([0.75, 0.5])
    assert hits[0].parts["support"].score == 2


def test_denials_vote_against_and_a_denied_majority_comes_back_denied() -> None:
    shelf = Shelf(
        fact(0, "effusion", "not_located_at", "base", "a"),
        fact(1, "effusion", "located_at", "base", "b"),
    )
    (hits,) = CaseFactsRetriever(rows=shelf, cases=SIMILAR).retrieve([ASKED], 10, [Filter()])
    assert [hit.passage.id for hit in hits] == ["p0"]
    # |0.5 - 1| / 2
    assert hits[0].score == pytest.approx(0.25)
    assert hits[0].parts["support"].score == 1
    assert hits[0].parts["against"].score == 1


def test_votes_that_cancel_out_bring_nothing() -> None:
    shelf = Shelf(
        fact(0, "effusion", "not_located_at", "base", "b"),
        fact(1, "effusion", "located_at", "base", "c"),
    )
    retriever = CaseFactsRetriever(rows=shelf, cases=SIMILAR)
    assert retriever.retrieve([ASKED], 10, [Filter()]) == [[]]


def test_states_of_one_finding_are_votes_on_it() -> None:
    shelf = Shelf(
        fact(0, "pneumothorax", "is", "present", "a"),
        fact(1, "pneumothorax", "is", "absent", "b", polarity="absent"),
    )
    (hits,) = CaseFactsRetriever(rows=shelf, cases=SIMILAR).retrieve([ASKED], 10, [Filter()])
    # 1 for, 0.5 against, of 2
    assert [hit.passage.id for hit in hits] == ["p0"]
    assert hits[0].score == pytest.approx(0.25)


def test_a_study_of_two_pictures_speaks_once() -> None:
    twice = Given((REPORTS[0], 0.8), (made(80, "image", "", study="a"), 0.8), (REPORTS[1], 0.4))
    shelf = Shelf(fact(0, "edema", "suggestive_of", "failure", "a"))
    (hits,) = CaseFactsRetriever(rows=shelf, cases=twice).retrieve([ASKED], 10, [Filter()])
    # the study weighs 1 of 1.5, and not 2 of 2.5
    assert hits[0].score == pytest.approx(1 / 1.5)


def test_facts_of_a_picture_count_where_the_case_names_no_study() -> None:
    case = made(90, "image", "", sha256="a" * 64)
    shelf = Shelf(fact(0, "edema", "suggestive_of", "failure", sha256="a" * 64))
    retriever = CaseFactsRetriever(rows=shelf, cases=Given((case, 1.0)))
    assert [hit.passage.id for hit in retriever.retrieve([ASKED], 10, [Filter()])[0]] == ["p0"]


TERMS = (
    made(0, "term", "pleural effusion: fluid.", name="pleural effusion", synonyms=["hydrothorax"]),
    made(1, "term", "pneumothorax: air.", name="pneumothorax"),
    fact(2, "heart failure", "has_finding", "pleural effusion"),
)


def read(*reports: str) -> tuple[list[str], dict[str, object]]:
    shelf = Shelf(*TERMS)
    cases = [(made(90 + i, "report", text), 0.5) for i, text in enumerate(reports)]
    retriever = CaseFactsRetriever(rows=shelf, cases=Given(*cases), graph=Scored(shelf, by_name))
    (found,) = retriever.retrieve_traced([ASKED], 10, [Filter()])
    return [hit.passage.id for hit in found.hits], dict(found.trace[0])


def test_a_case_without_facts_speaks_by_the_concepts_of_its_text() -> None:
    found, trace = read("There is a hydrothorax. No pneumothorax.")
    assert found == ["p0"]
    assert trace["linked"] == ["pleural effusion"]
    assert trace["denied"] == ["pneumothorax"]


def test_facts_at_a_concept_of_the_texts_come_too() -> None:
    found, _ = read("Large pleural effusion.")
    assert set(found) == {"p0", "p2"}


def test_a_part_of_the_body_brings_nothing_that_may_lie_there() -> None:
    lung = (made(5, "term", "lung.", name="lung"), fact(6, "lung cancer", "located_in", "lung"))
    shelf = Shelf(*lung, *TERMS[:1])
    report = made(90, "report", "The lung is clear. Pleural effusion.")
    retriever = CaseFactsRetriever(
        rows=shelf, cases=Given((report, 1.0)), graph=Scored(shelf, by_name)
    )
    assert [hit.passage.kind for hit in retriever.retrieve([ASKED], 10, [Filter()])[0]] == ["term"]


def test_most_cases_decide_on_a_concept() -> None:
    found, _ = read("Pneumothorax is seen.", "No pneumothorax.", "No pneumothorax.")
    assert found == []


def test_concepts_are_described_several_times() -> None:
    shelf = Shelf(fact(0, "edema", "suggestive_of", "failure", "a"))
    texts = Given(
        (made(70, "text", "Edema is white."), 0.9), (made(71, "text", "Edema: lines."), 0.8)
    )
    retriever = CaseFactsRetriever(rows=shelf, cases=SIMILAR, describe=texts, descriptions=2)
    (hits,) = retriever.retrieve([ASKED], 10, [Filter()])
    assert [hit.passage.id for hit in hits] == ["p0", "p70", "p71"]
    assert [question.text for question in texts.asked] == ["edema"]


def test_each_question_has_its_own_cases() -> None:
    shelf = Shelf(fact(0, "edema", "suggestive_of", "failure", "a"))
    retriever = CaseFactsRetriever(rows=shelf, cases=SIMILAR)
    rankings = retriever.retrieve(
        [ASKED, ASKED], 10, [Filter(), Filter(not_studies=frozenset({"a"}))]
    )
    assert [len(ranking) for ranking in rankings] == [1, 0]


def test_cases_are_looked_for_whatever_kinds_are_wanted() -> None:
    shelf = Shelf(fact(0, "edema", "suggestive_of", "failure", "a"))
    retriever = CaseFactsRetriever(rows=shelf, cases=SIMILAR)
    (hits,) = retriever.retrieve([ASKED], 10, [Filter(kinds=frozenset({"fact"}))])
    assert len(hits) == 1
    assert retriever.retrieve([ASKED], 10, [Filter(kinds=frozenset({"text"}))]) == [[]]


def test_it_may_be_asked_again_only_if_what_it_asks_may() -> None:
    class Once(Given):
        repeatable = False

    assert CaseFactsRetriever(rows=Shelf(), cases=SIMILAR).repeatable
    assert not CaseFactsRetriever(rows=Shelf(), cases=Once()).repeatable
