"""What a question names is found, and what it asks for stands first."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medrag.indexing.graph import GraphChannel, compile_graph
from medrag.records import Filter, Passage, Question
from tests.indexing.graph.passages import PASSAGES, compiled, everything, fact, term


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> GraphChannel:
    folder = tmp_path_factory.mktemp("graph")
    compile_graph(enumerate(PASSAGES), folder)
    return GraphChannel(folder=folder, mask=everything)


def texts(channel: GraphChannel, question: str, k: int = 20) -> list[str]:
    [ranking] = channel.search([Question(question)], k, [Filter()])
    return [PASSAGES[row].text for row, _ in ranking]


@pytest.mark.parametrize(
    ("question", "best"),
    [
        ("What are the symptoms of Miller carditis?", "Miller carditis has_symptom racing pulse"),
        ("Where is Miller carditis located?", "Miller carditis located_in left ventricle"),
        ("Is Miller carditis a kind of heart disease?", "Miller carditis is_a heart disease"),
        ("Is Miller carditis a heart disease?", "Miller carditis is_a heart disease"),
        ("What kind of disease is Miller carditis?", "Miller carditis is_a heart disease"),
        ("Which kinds of heart disease are there?", "Miller carditis is_a heart disease"),
        (
            "Is blurred vision a symptom of sun blindness?",
            "sun blindness has_symptom blurred vision",
        ),
        ("what is miller's heart", "Miller carditis. A thing made up."),
        ("Define sun blindness.", "sun blindness. A thing made up."),
    ],
)
def test_what_is_asked_for_stands_first(channel: GraphChannel, question: str, best: str) -> None:
    assert texts(channel, question)[0] == best


def test_which_diseases_have_a_symptom_is_answered_from_the_symptom(channel: GraphChannel) -> None:
    assert set(texts(channel, "Which diseases have a racing pulse as a symptom?")[:2]) == {
        "Miller carditis has_symptom racing pulse",
        "acquired weakness syndrome has_symptom racing pulse",
    }


def test_a_narrower_concept_learns_from_the_broader_one(channel: GraphChannel) -> None:
    found = texts(channel, "What are the symptoms of acute Miller carditis?")
    assert "Miller carditis has_symptom racing pulse" in found


def test_the_longest_name_wins_over_names_within_it(channel: GraphChannel) -> None:
    # "Miller carditis" and "heart disease" stand within names of other concepts.
    assert texts(channel, "acute miller carditis")[0] == "acute Miller carditis. A thing made up."


@pytest.mark.parametrize(
    "question",
    ["What is a MILLER CARDITIS?", "What is the Miller carditis?", "What is Miller-carditis?"],
)
def test_case_plural_and_hyphens_do_not_matter(channel: GraphChannel, question: str) -> None:
    assert texts(channel, question)[0] == "Miller carditis. A thing made up."


def test_a_plural_is_recognised(channel: GraphChannel) -> None:
    assert "heart disease. A thing made up." in texts(channel, "What are heart diseases?")[:2]


def test_a_qualifier_in_brackets_may_be_missing(channel: GraphChannel) -> None:
    assert texts(channel, "What is a solar keratosis?")[0] == "sun blindness. A thing made up."


def test_an_abbreviation_is_recognised_as_it_is_written(channel: GraphChannel) -> None:
    best = "acquired weakness syndrome. A thing made up."
    assert texts(channel, "What is AIDS?")[0] == best
    assert texts(channel, "What aids the patient?") == []
    assert texts(channel, "what is aids") == []
    assert texts(channel, "What is MCS?")[0] == "Miller carditis. A thing made up."
    assert texts(channel, "What is mcs?") == []


@pytest.mark.parametrize(
    "question",
    ["", "???", "What is the capital of France?", "a an the", "Is this the left kidney or not?"],
)
def test_a_question_that_names_nothing_gets_no_ranking(
    channel: GraphChannel, question: str
) -> None:
    assert texts(channel, question) == []


def test_a_question_about_something_else_gets_no_ranking(channel: GraphChannel) -> None:
    assert texts(channel, "Does the left ventricle look enlarged in this radiograph?") == []


def test_scores_lie_between_zero_and_one_and_fall_with_distance(channel: GraphChannel) -> None:
    [ranking] = channel.search([Question("acute Miller carditis")], 20, [Filter()])
    scores = {PASSAGES[row].text: score for row, score in ranking}
    assert all(0 < score <= 1 for score in scores.values())
    # The concept itself, one step up, two steps up.
    own, near, far = (
        scores[f"{name}. A thing made up."]
        for name in ("acute Miller carditis", "Miller carditis", "heart disease")
    )
    assert own > near > far


def test_a_filter_is_applied_before_the_ranking_is_cut(channel: GraphChannel) -> None:
    only = PASSAGES.index(fact("D:3 Miller carditis", "located_in", "U:1 left ventricle"))
    narrow = GraphChannel.__new__(GraphChannel)
    narrow.__dict__.update(channel.__dict__)
    narrow.mask = lambda _: np.arange(len(PASSAGES)) == only
    [ranking] = narrow.search(
        [Question("What are the symptoms of Miller carditis?")], 1, [Filter()]
    )
    assert [row for row, _ in ranking] == [only]


def test_equal_scores_stand_in_the_order_of_rows(tmp_path: Path) -> None:
    twins = [fact("A:1 twinitis", "has_symptom", f"S:{n} mark {'xyz'[n]}") for n in range(3)]
    ranking = compiled(twins, tmp_path).search(
        [Question("What are the symptoms of twinitis?")], 5, [Filter()]
    )[0]
    assert [row for row, _ in ranking] == [0, 1, 2]
    assert len({score for _, score in ranking}) == 1


def test_a_name_that_many_concepts_share_is_not_guessed_at(tmp_path: Path) -> None:
    channel = compiled([term(f"D:{n}", f"thing {n}", "the lump") for n in range(20)], tmp_path)
    assert channel.search([Question("What is the lump?")], 5, [Filter()]) == [[]]


def test_a_term_that_says_only_its_name_stands_below_one_that_explains(tmp_path: Path) -> None:
    channel = compiled([term("D:1", "lump", text="lump."), term("D:1", "lump")], tmp_path)
    [ranking] = channel.search([Question("What is a lump?")], 5, [Filter()])
    assert [row for row, _ in ranking] == [1, 0]


def test_a_term_that_lists_what_is_asked_for_stands_behind_its_facts(tmp_path: Path) -> None:
    described = term("A:1", "xitis", text="xitis. A thing made up.")
    passages = [
        described,
        term("A:1", "xitis", text="xitis. Has symptom: itching."),
        fact("A:1 xitis", "has_symptom", "S:1 itching"),
        fact("A:1 xitis", "located_in", "U:1 skin"),
    ]
    channel = compiled(passages, tmp_path)
    [ranking] = channel.search([Question("What are the symptoms of xitis?")], 5, [Filter()])
    assert [row for row, _ in ranking][:2] == [2, 1]
    [ranking] = channel.search([Question("Where is xitis located?")], 5, [Filter()])
    assert ranking[0].row == 3


def test_a_described_concept_may_be_asked_about_at_length(channel: GraphChannel) -> None:
    # Two words of about eight are named; those of a symptom or a place would not be enough.
    assert texts(channel, "Grandmother's cardiologist yesterday mentioned Miller carditis, alas")
    assert not texts(channel, "Grandmother's cardiologist yesterday mentioned blurred vision, alas")


def test_what_holds_of_a_broader_concept_is_found_many_kinds_down(tmp_path: Path) -> None:
    chain = [fact(f"A:{n} kind {'abcdef'[n]}itis", "is_a", f"A:{n + 1} kind {'abcdef'[n + 1]}itis")
             for n in range(5)]  # fmt: skip
    passages = [*chain, fact("A:5 kind fitis", "has_symptom", "S:1 itching")]
    channel = compiled(passages, tmp_path)
    [ranking] = channel.search([Question("What are the symptoms of kind aitis?")], 10, [Filter()])
    assert 5 in [row for row, _ in ranking]


def test_concepts_near_what_a_text_names_expand_it(channel: GraphChannel) -> None:
    first, *others = channel.expand("Miller carditis", 5)
    assert (first.id, first.name) == ("D:3", "Miller carditis")
    assert {"racing pulse", "left ventricle", "heart disease"} <= {each.name for each in others}
    assert [each.score for each in others] == sorted((e.score for e in others), reverse=True)
    assert channel.expand("nothing of it", 5) == []


def test_a_fact_with_a_denied_end_stands_below_others_of_its_concept(channel: GraphChannel) -> None:
    found = texts(channel, "Miller carditis without racing pulse")
    assert found.index("Miller carditis located_in left ventricle") < found.index(
        "Miller carditis has_symptom racing pulse"
    )


def test_a_question_that_begins_with_a_denial_asks_all_the_same(channel: GraphChannel) -> None:
    best = "sun blindness has_symptom blurred vision"
    assert texts(channel, "Isn't blurred vision a symptom of sun blindness?")[0] == best


def test_a_circle_of_kinds_is_walked_once(tmp_path: Path) -> None:
    circle = [fact("A:1 xitis", "is_a", "A:2 yitis"), fact("A:2 yitis", "is_a", "A:1 xitis")]
    assert len(compiled(circle, tmp_path).search([Question("xitis")], 5, [Filter()])[0]) == 2


@settings(max_examples=60, deadline=None)
@given(question=st.text(max_size=200))
def test_any_text_may_be_asked(channel: GraphChannel, question: str) -> None:
    [ranking] = channel.search([Question(question)], 3, [Filter()])
    assert len(ranking) <= 3


@pytest.mark.parametrize("stated", [p for p in PASSAGES if p.kind == "fact"], ids=lambda p: p.text)
def test_a_fact_stands_first_if_both_its_concepts_are_named(
    channel: GraphChannel, stated: Passage
) -> None:
    question = f"{stated.fields['tail']} and {stated.fields['head']}"
    assert texts(channel, question)[0] == stated.text
