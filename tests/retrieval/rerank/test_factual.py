from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.records import Filter, Hit, Passage, Question, Turn
from medrag.retrieval.rerank.factual import FactualReranker
from medrag.retrieval.rerank.findings import WordLabeller, findings_in, findings_of, overlap
from medrag.retrieval.rerank.retriever import RerankRetriever
from tests.retrieval.shelf import Listed, Shelf, ids, passage

EFFUSION = "There is a left pleural effusion. No pneumothorax. The heart is mildly enlarged."
SAME = "Cardiomegaly. Effusion at the left base. No evidence of pneumothorax."
OTHER = "Right upper lobe consolidation. No effusion."
CLEAR = "The lungs are clear. No pleural effusion or pneumothorax. Heart size is normal."


def report(name: str, text: str, **source: Any) -> Passage:
    fields: Mapping[str, Any] = source.pop("fields", {})
    return passage(name, text, kind="report", fields=fields, **source)


def hits(*passages: Passage) -> list[Hit]:
    return [Hit(each, 1 / n, n) for n, each in enumerate(passages, start=1)]


REPORTS = hits(report("other", OTHER), report("clear", CLEAR), report("same", SAME))


def test_observations_are_read_with_negation_and_synonyms() -> None:
    labels = WordLabeller().labels(EFFUSION)
    assert labels == {
        "pleural effusion": "positive",
        "pneumothorax": "negative",
        "cardiomegaly": "positive",
    }
    assert set(WordLabeller().labels(CLEAR).values()) == {"negative"}
    assert findings_in(CLEAR, WordLabeller()).present == frozenset()


def test_facts_of_words_say_what_is_there_and_where() -> None:
    assert findings_in(EFFUSION, WordLabeller()).worded == {
        ("pleural effusion", "is", "present"),
        ("pleural effusion", "located at", "left"),
        ("pneumothorax", "is", "absent"),
        ("cardiomegaly", "is", "present"),
    }


def test_labels_of_chexbert_and_facts_of_radgraph_come_first() -> None:
    fields = {
        "labels": {
            "Edema": 1,
            "Pneumonia": -1,
            "Fracture": 0,
            "Atelectasis": None,
            "No Finding": 1,
        },
        "facts": [["Effusion", "located_at", "Left  Base"], {"head": "a", "relation": "b"}],
    }
    found = findings_of(report("r", EFFUSION, fields=fields), WordLabeller(), {})
    assert found.present == {"edema", "pneumonia"}
    assert found.given == {("effusion", "located_at", "left base")}


def test_facts_of_a_study_stand_in_passages_of_their_own() -> None:
    fact = {"head": "opacity", "relation": "located_at", "tail": "lung"}
    shelf = Shelf(
        passage("f", "opacity at lung", kind="fact", fields=fact, study="s1"),
        passage("g", "effusion", kind="fact", fields={**fact, "head": "effusion"}, study="s2"),
    )
    one, two = (report(s, "Unremarkable.", study=s) for s in ("s1", "s2"))
    three = report("s3", "Unremarkable.", study="s3", fields={"facts": [list(fact.values())]})
    [found] = FactualReranker(library=shelf).rerank([Question()], [hits(two, one, three)])
    # s1 and s3 share their fact; all three have no observation: 1 + 1 of a pair, and 0.5 and 0.5.
    scores = {hit.passage.id: hit.score for hit in found}
    assert scores == {"s1": (2 + 0.5) / 2, "s3": (2 + 0.5) / 2, "s2": 0.5}


def test_a_report_is_held_against_the_one_that_is_asked_with() -> None:
    reranker = FactualReranker(against="question", keep=None)
    [found] = reranker.rerank([Question(EFFUSION)], [REPORTS])
    assert ids(found)[0] == "same"
    # Labels equal; facts: 4 and 5 ("left" and "base" with the effusion), 4 in common.
    assert found[0].score == pytest.approx(1 + (1 + 8 / 9) / 2)
    # No observation in common, and of 4 and 3 facts two absent ones.
    assert found[1].score < 1
    assert found[0].parts["factual"].rank == 1


def test_a_draft_is_the_last_answer_of_the_history() -> None:
    history = (Turn("report?", "Nothing."), Turn("report?", EFFUSION))
    [found] = FactualReranker(against="draft").rerank([Question("x", history=history)], [REPORTS])
    assert found[0].passage.id == "same"
    plain = FactualReranker(against="draft").rerank([Question("x")], [REPORTS])
    assert plain == FactualReranker().rerank([Question("x")], [REPORTS])


def test_without_a_draft_the_report_that_most_others_agree_with_is_first() -> None:
    reports = hits(report("odd", OTHER), report("one", EFFUSION), report("two", SAME))
    [found] = FactualReranker(keep=1).rerank([Question("is there an effusion?")], [reports])
    assert ids(found) == ["one"]
    [three] = FactualReranker().rerank([Question()], [reports])
    assert ids(three) == ["one", "two", "odd"]
    [single] = FactualReranker().rerank([Question()], [hits(report("one", EFFUSION))])
    assert ids(single) == ["one"]


def test_only_pairs_are_kept_on_request() -> None:
    reranker = FactualReranker(against="question", pairs_only=True)
    [found] = reranker.rerank([Question(EFFUSION)], [REPORTS])
    assert [(hit.passage.id, hit.rank) for hit in found] == [("same", 1)]
    loose = FactualReranker(against="question", pairs_only=True, min_labels=0, min_facts=0)
    assert len(loose.rerank([Question(EFFUSION)], [REPORTS])[0]) == 3
    consensus = FactualReranker(pairs_only=True)
    several = hits(report("odd", OTHER), report("one", EFFUSION), report("two", SAME))
    assert ids(consensus.rerank([Question()], [several])[0]) == ["one", "two"]


def test_the_thresholds_are_those_of_the_paper() -> None:
    # Facts 2 of 4 and 1 of ...: F1 2 * 1 / (2 + 3) = 0.4 is enough, 2 * 1 / (2 + 4) is not.
    asked = [["a", "is", "b"], ["c", "is", "d"]]
    enough = [["a", "is", "b"], ["x", "is", "y"], ["x", "is", "z"]]
    too_few = [*enough, ["x", "is", "w"]]
    reranker = FactualReranker()
    found = [
        findings_of(report("r", "x", fields={"facts": facts}), WordLabeller(), {})
        for facts in (asked, enough, too_few)
    ]
    assert reranker.similarity(found[0], found[1]) == pytest.approx(1 + (1 + 0.4) / 2)
    assert reranker.similarity(found[0], found[2]) == pytest.approx((1 + 1 / 3) / 2)


def test_what_is_no_report_comes_last() -> None:
    mixed_hits = hits(passage("text", EFFUSION), *(hit.passage for hit in REPORTS))
    [found] = FactualReranker(against="question", keep=None).rerank(
        [Question(EFFUSION)], [mixed_hits]
    )
    assert ids(found)[0] == "same"
    assert ids(found)[-1] == "text"


def test_the_same_study_and_the_same_patient_never_come_back() -> None:
    shelf = Shelf(
        report("own study", EFFUSION, study="s1", subject="p1"),
        report("own patient", EFFUSION, study="s0", subject="p1"),
        report("another", SAME, study="s2", subject="p2"),
        report("further", OTHER, study="s3", subject="p3"),
    )
    guard = Filter(not_studies=frozenset({"s1"}), not_subjects=frozenset({"p1"}))
    retriever = RerankRetriever(
        library=shelf,
        retriever=Listed(shelf),
        rerankers=(FactualReranker(library=shelf, against="question"),),
    )
    question = Question(f"{EFFUSION} 0 1 2 3")
    assert ids(retriever.retrieve([question], 4, [Filter()])[0])[:2] == ["own study", "own patient"]
    assert ids(retriever.retrieve([question], 4, [guard])[0]) == ["another", "further"]


SETS = st.frozensets(st.integers(0, 5))


@given(SETS, SETS)
def test_the_overlap_is_f1(one: frozenset[int], two: frozenset[int]) -> None:
    found = overlap(one, two)
    assert found == overlap(two, one)
    assert 0 <= found <= 1
    assert (found == 1) == (one == two)
    if one and two and one & two:
        precision, recall = len(one & two) / len(two), len(one & two) / len(one)
        assert found == pytest.approx(2 * precision * recall / (precision + recall))


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="against must be one of"):
        FactualReranker(against="truth")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"min_facts must be in \[0, 1\]"):
        FactualReranker(min_facts=2)
    with pytest.raises(ValueError, match="keep must be at least 1"):
        FactualReranker(keep=0)
