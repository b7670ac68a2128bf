"""Concepts that a text names, however they are written, and those that it denies."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medrag.indexing.graph import GraphChannel, Mention
from medrag.records import Filter, Question
from tests.indexing.graph.passages import compiled, fact, term

TERMS = [
    term("D:1", "chronic obstructive pulmonary disease", "obstructive lung disease"),
    term("D:2", "myocardial infarction", "heart attack"),
    term("D:3", "breast carcinoma"),
    term("D:4", "oesophageal tumour"),
    term("D:5", "asthma"),
    term("D:6", "non-Hodgkin lymphoma"),
    term("D:7", "Deafness dystonia optic neuronopathy syndrome (DDON)"),
    term("D:8", "pneumothorax"),
    term("D:9", "gallbladder disease"),
    term("D:10", "fever"),
]
FACTS = [fact("D:8 pneumothorax", "has_symptom", "D:10 fever")]


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> GraphChannel:
    return compiled([*TERMS, *FACTS], tmp_path_factory.mktemp("graph"))


def named(channel: GraphChannel, text: str) -> list[str]:
    return [concept.id for m in channel.link(text) for concept in channel.concepts(m.nodes)]


def one(channel: GraphChannel, text: str) -> Mention:
    [mention] = channel.link(text)
    return mention


@pytest.mark.parametrize(
    ("text", "ids", "way"),
    [
        ("What is myocardial infarction?", ["D:2"], "name"),
        ("What is a heart attack?", ["D:2"], "name"),
        ("What are heart attacks?", ["D:2"], "name"),
        ("Is this esophageal tumor large?", ["D:4"], "name"),
        ("the carcinoma of the breast", ["D:3"], "form"),
        ("an asthmatic", ["D:5"], "form"),
        ("nonhodgkin lymphomas", ["D:6"], "joined"),
        ("gall bladder disease", ["D:9"], "joined"),
        ("Has the pnuemothorax grown?", ["D:8"], "mistyped"),
        ("myocardial infraction", ["D:2"], "mistyped"),
        ("infractions of the myocardium", ["D:2"], "mistyped"),
        ("a COPD in its early stage", ["D:1"], "initials"),
        ("What is MI?", ["D:2"], "initials"),
        ("What is DDON?", ["D:7"], "name"),
    ],
)
def test_a_concept_is_recognised(
    channel: GraphChannel, text: str, ids: list[str], way: str
) -> None:
    assert named(channel, text) == ids
    assert {m.way for m in channel.link(text)} == {way}


def test_a_mention_says_where_it_stands(channel: GraphChannel) -> None:
    text = "Ein Caf\u00e9: after a heart attack."
    mention = one(channel, text)
    assert text[mention.start : mention.stop] == "heart attack"


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("Pneumothorax without fever", [False, True]),
        ("no fever, but a pneumothorax", [True, False]),
        ("Fever is absent.", [True]),
        ("non-Hodgkin lymphoma with fever", [False, False]),
        ("Not asthma. Is it fever?", [True, False]),
    ],
)
def test_what_a_text_denies_is_marked(channel: GraphChannel, text: str, denied: list[bool]) -> None:
    assert [m.negated for m in channel.link(text)] == denied


def test_a_denied_concept_counts_less(channel: GraphChannel) -> None:
    affirmed, denied = one(channel, "fever"), one(channel, "no fever")
    assert 0 < denied.weights[0] < 0.2 * affirmed.weights[0]


def test_a_short_form_that_a_text_defines_means_its_long_form(channel: GraphChannel) -> None:
    for text in ("Is asthma (AST) bad? AST hurts.", "Is AST (asthma) bad? AST hurts."):
        assert named(channel, text) == ["D:5"] * 3


def test_a_defined_short_form_outdoes_what_else_it_could_mean(channel: GraphChannel) -> None:
    # By its initials alone, "MI" is myocardial infarction.
    assert named(channel, "Is metastatic asthma invasion of asthma (MIA) an MI?") != []
    text = "massive invasive fever (MIF) and MIF"
    assert named(channel, text) == ["D:10"] * 3


def test_two_mistakes_need_a_longer_word_than_one(channel: GraphChannel) -> None:
    # "fever" has five letters, "pneumothorax" twelve.
    assert named(channel, "fewer") == []
    assert named(channel, "pnemothorex") == ["D:8"]


def test_typos_may_be_left_to_themselves(channel: GraphChannel, tmp_path: Path) -> None:
    strict = compiled(TERMS, tmp_path)
    plain = GraphChannel(folder=strict.folder, mask=strict.mask, typos=False)
    assert named(plain, "pnuemothorax") == []


def test_a_word_that_texts_use_is_no_mistyped_name(tmp_path: Path) -> None:
    terms = [term("D:1", "bloating"), *(term(f"D:{n}", f"x{n}", text="a blotting") for n in (2, 3))]
    assert named(compiled(terms, tmp_path), "blotting") == []


def test_what_is_denied_does_not_lead_the_ranking(tmp_path: Path) -> None:
    passages = [
        term("D:1", "redness"),
        fact("D:2 xitis", "has_symptom", "S:1 itching"),
        fact("D:3 yitis", "has_symptom", "S:2 swelling"),
    ]
    channel = compiled(passages, tmp_path)
    [ranking] = channel.search(
        [Question("Which diseases have itching without swelling?")], 5, [Filter()]
    )
    assert [row for row, _ in ranking] == [1, 2]
    assert ranking[1].score < 0.2 * ranking[0].score


@settings(max_examples=150)
@given(
    words=st.lists(
        st.one_of(
            st.sampled_from(
                [
                    "heart",
                    "attack",
                    "of",
                    "the",
                    "COPD",
                    "(",
                    ")",
                    "no",
                    "fever,",
                    "asthmatic",
                    "breast",
                    "carcinoma",
                    "myocardial",
                    "infraction",
                    "non-",
                    "Hodgkin",
                    "lymphoma.",
                ]
            ),
            st.text(max_size=12),
        ),
        max_size=25,
    )
)
def test_mentions_of_any_text_stand_in_order_and_apart(
    channel: GraphChannel, words: list[str]
) -> None:
    text = " ".join(words)
    mentions = channel.link(text)
    ends = [0, *(m.stop for m in mentions)]
    assert all(end <= m.start < m.stop for end, m in zip(ends, mentions, strict=False))
    assert all(m.stop <= len(text) for m in mentions)
    assert all(((m.weights > 0) & (m.weights <= 1)).all() for m in mentions)
    numbers = [number for m in mentions for number in m.words]
    assert len(set(numbers)) == len(numbers)
    channel.expand(text, 3)
    channel.paths(text)
