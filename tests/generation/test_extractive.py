import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from medrag.generation.extractive import ABSTENTION, ExtractiveGenerator
from medrag.generation.extractive.choice import asks_for_exception, filled_in
from medrag.generation.extractive.polar import is_polar
from medrag.language import words
from medrag.prompting.citation import cite
from medrag.prompting.templates import build_prompt
from medrag.records import (
    Generation,
    Hit,
    ImageRef,
    Kind,
    Part,
    Passage,
    Prompt,
    Question,
    Selection,
    Source,
)
from tests.contracts import check_generator

PICTURE = ImageRef(path="/pictures/chest.png", sha256="0" * 64)

BOOK = (
    "The heart is a muscular organ that pumps blood. It has four chambers. "
    "The pancreas is located behind the stomach. It makes insulin.",
    "Epithelial tissue covers the surfaces of the body. It lacks blood vessels.",
    "Regional anatomy is the study of all structures of one part of the body. "
    "Systemic anatomy is the study of the structures that work together in one system.",
    "Bone stores calcium and phosphate. Yellow marrow stores fat.",
)


def passage(text: str, kind: Kind = "text", **fields: object) -> Passage:
    images = (ImageRef(path="p.png"),) if kind in ("image", "figure", "report") else ()
    return Passage(text[:20], kind, text, Source("c", "d", "0"), images, fields)


def prompt(question: Question | str, *passages: Passage | str) -> Prompt:
    asked = Question(text=question) if isinstance(question, str) else question
    hits = [
        Hit(one if isinstance(one, Passage) else passage(one), 1 / rank, rank)
        for rank, one in enumerate(passages, start=1)
    ]
    return build_prompt(asked, Selection(tuple(hits)))


def answer(question: Question | str, *passages: Passage | str, **options: int) -> Generation:
    return ExtractiveGenerator(**options).generate([prompt(question, *passages)])[0]


def test_the_extractive_generator_keeps_the_contract() -> None:
    questions = [
        prompt("Where is the pancreas?", *BOOK),
        prompt("Is epithelial tissue full of blood vessels?", *BOOK),
        prompt(Question(text="What stores fat?", options=("bone", "yellow marrow")), *BOOK),
        prompt(Question(images=(PICTURE,)), passage("A chest film.", "image")),
        prompt("Where is the pancreas?"),
        prompt(""),
    ]
    check_generator(ExtractiveGenerator(), questions)


def test_an_open_question_is_answered_by_the_sentence_that_says_it() -> None:
    assert answer("Where is the pancreas located?", *BOOK).text.startswith(
        "The pancreas is located behind the stomach [1]."
    )


def test_a_definition_is_preferred_for_what_is() -> None:
    texts = (
        "The anatomist liked regional anatomy best of all anatomy.",
        "Regional anatomy is the study of all structures of one part of the body.",
    )
    assert answer("What is regional anatomy?", *texts).text.startswith("Regional anatomy is the")


def test_no_more_sentences_are_quoted_than_asked_for() -> None:
    text = answer("What stores calcium, phosphate and fat?", *BOOK, max_sentences=1).text
    assert text == "Bone stores calcium and phosphate [4]."


def test_the_same_sentence_in_two_passages_is_quoted_once() -> None:
    text = answer("Where is the pancreas located?", BOOK[0], BOOK[0] + " More.").text
    assert text.count("behind the stomach") == 1


@pytest.mark.parametrize(
    "question",
    [
        "How tall is Mount Everest?",
        "What is the dose of amoxicillin?",
        "Is there a fracture of the femur?",
        "What?",
    ],
)
def test_it_abstains_where_the_evidence_is_about_something_else(question: str) -> None:
    generation = answer(question, *BOOK)
    assert generation.text == ABSTENTION
    assert generation.abstained
    assert generation.confidence == 0


def test_it_abstains_from_options_that_no_passage_is_about() -> None:
    question = Question(text="Who won the football cup of 1998?", options=("France", "Brazil"))
    assert answer(question, *BOOK).abstained


def test_it_abstains_without_evidence() -> None:
    assert answer("Where is the pancreas?").abstained


def test_a_multiple_choice_answer_begins_with_letter_and_text_and_quotes_its_reason() -> None:
    question = Question(
        text="Which specialty studies all structures of one part of the body?",
        options=("microscopic anatomy", "regional anatomy", "systemic anatomy"),
    )
    text = answer(question, *BOOK).text
    assert text.startswith("B. regional anatomy [3].\nRegional anatomy is the study")


def test_a_question_for_an_exception_takes_the_option_without_support() -> None:
    question = Question(
        text="Which of the following is not stored in bone?",
        options=("calcium", "insulin", "phosphate"),
    )
    assert answer(question, *BOOK).text.startswith("B. insulin")


def test_all_of_the_above_needs_support_for_every_option() -> None:
    options = ("calcium", "phosphate", "all of the above")
    assert answer(Question(text="Bone stores ________.", options=options), *BOOK).text.startswith(
        "C. all of the above"
    )
    options = ("calcium", "insulin", "all of the above")
    assert answer(Question(text="Bone stores ________.", options=options), *BOOK).text.startswith(
        "A. calcium"
    )


def test_a_similarity_breaks_ties_that_words_leave() -> None:
    def alike(asked: list[str], texts: list[str]) -> NDArray[np.float64]:
        return np.array(
            [[float("B" in one and "fever" in text) for text in texts] for one in asked]
        )

    asked = prompt(
        Question(text="Which causes fever?", options=("virus A", "virus B")),
        "One virus causes fever in the body.",
    )
    generator = ExtractiveGenerator(similarity=alike)
    assert generator.generate([asked])[0].text.startswith("B. virus B [1]")


@pytest.mark.parametrize(
    ("question", "texts", "word"),
    [
        ("Is there a pleural effusion?", ["A pleural effusion is seen."], "Yes"),
        ("Is there a pleural effusion?", ["No pleural effusion."], "No"),
        (
            "Is there a pneumothorax?",
            ["There is no evidence of effusion or pneumothorax."],
            "No",
        ),
        ("Is the heart enlarged?", ["The heart is not enlarged."], "No"),
        ("Is the heart enlarged?", ["The heart is enlarged, without effusion."], "Yes"),
        ("Does the tissue have vessels?", ["The tissue lacks vessels."], "No"),
        ("Is angiosarcoma a sarcoma?", ["Angiosarcoma is a sarcoma."], "Yes"),
        (
            "Is there a fracture?",
            ["No fracture is seen.", "No acute fracture.", "A fracture is seen."],
            "No",
        ),
    ],
)  # fmt: skip
def test_yes_and_no_are_voted_with_denials_counted(
    question: str, texts: list[str], word: str
) -> None:
    reports = [passage(text, "report") for text in texts]
    text = answer(question, *reports).text
    assert re.match(rf"{word} \[\d", text), text


def test_a_sentence_that_only_names_both_does_not_say_that_one_is_the_other() -> None:
    assert answer("Is the aorta a vein?", "The left renal vein passes the aorta.").abstained


def test_a_similar_case_votes_with_its_answer() -> None:
    asked = "Is there a pleural effusion?"
    cases = [
        passage("a", "case", question="Is there a pleural effusion?", answer="No"),
        passage("b", "case", question="Is a pleural effusion present?", answer="no"),
        passage("c", "case", question="Is there a fracture?", answer="yes"),
    ]
    text = answer(asked, *cases).text
    assert text.startswith("No [1, 2].")
    assert "In a similar case, “Is there a pleural effusion?” was answered “No” [1]." in text
    assert "fracture" not in text


def test_votes_that_are_even_give_no_answer() -> None:
    cases = [passage("a", "case", question="Is there a mass?", answer="maybe")]
    assert answer("Is there a mass?", *cases).abstained


def test_more_agreeing_votes_give_more_confidence() -> None:
    one = answer("Is there a mass?", passage("A mass is seen.", "report"))
    two = answer(
        "Is there a mass?", passage("A mass is seen.", "report"), passage("A mass.", "report")
    )
    assert one.confidence is not None
    assert two.confidence is not None
    assert 0 < one.confidence < two.confidence < 1


def test_yes_and_no_as_options_get_their_letter() -> None:
    question = Question(text="Is there a mass?", options=("Yes", "No"))
    assert answer(question, passage("No mass is seen.", "report")).text.startswith("B. No [1].")


@pytest.mark.parametrize(
    ("text", "polar"),
    [
        ("Is there a mass?", True),
        ("A film is shown. Does it show a mass?", True),
        ("Are the lungs clear?", True),
        ("Is it a CT or an MRI?", False),
        ("Is there a mass or not?", True),
        ("What is a mass?", False),
        ("Island cells make what?", False),
        ("", False),
    ],
)
def test_a_question_is_polar_if_it_begins_with_a_verb_and_gives_no_choice(
    text: str, polar: bool
) -> None:
    assert is_polar(Question(text=text)) == polar


@pytest.mark.parametrize(
    ("text", "exception"),
    [
        ("Which of the following is not a tissue?", True),
        ("All of these are tissues except ________.", True),
        ("Which statement is false?", True),
        ("Which of the following is a tissue?", False),
        ("He is not hurt. Which nerve acts?", False),
    ],
)
def test_only_the_sentence_that_asks_can_ask_for_an_exception(text: str, exception: bool) -> None:
    assert asks_for_exception(text) == exception


def test_an_option_fills_the_blank_of_its_question() -> None:
    assert filled_in("The ________ pumps.", "heart.") == "The heart pumps."
    assert filled_in("What pumps?", "heart") == "What pumps? heart"


def test_a_picture_without_words_is_answered_by_the_nearest_pictures() -> None:
    near = Hit(
        passage("A chest film. It is normal.", "image"), 0.9, 1, parts={"image": Part(1, 0.9)}
    )
    far = Hit(passage("A smear.", "image"), 0.5, 2, parts={"image": Part(2, 0.89)})
    asked = build_prompt(
        Question(text="What does the image show?", images=(PICTURE,)), Selection((near, far))
    )
    generation = ExtractiveGenerator().generate([asked])[0]
    assert generation.text == (
        "The most similar pictures in this library: “A chest film” [1]; “A smear” [2]."
    )
    assert generation.confidence == 0.9


def test_a_term_is_quoted_by_its_definition() -> None:
    term = passage("angiosarcoma. A cancer of vessels.", "term", name="angiosarcoma")
    assert answer("What is angiosarcoma?", term).text == "Angiosarcoma: A cancer of vessels [1]."


def test_a_fact_is_quoted_whole() -> None:
    fact = passage("influenza has symptom fever.", "fact", head="influenza", tail="fever")
    text = answer("What symptom does influenza have?", fact).text
    assert text == "Influenza has symptom fever [1]."


def test_a_marker_inside_evidence_cannot_be_cited() -> None:
    forged = "The pancreas is located behind the stomach [3]. [2] It is located there [1, 2]."
    asked = prompt("Where is the pancreas located?", forged, "Nothing.", "Nothing else.")
    text = ExtractiveGenerator().generate([asked])[0].text
    assert {citation.marker for citation in cite(text, asked).citations} == {1}
    assert "(3)" in text


def test_a_number_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="max_sentences must be at least 1, got 0"):
        ExtractiveGenerator(max_sentences=0)
    with pytest.raises(ValueError, match=r"min_coverage must be in \[0, 1\], got 2"):
        ExtractiveGenerator(min_coverage=2)


def test_another_language_is_read_with_its_own_stems_and_cues() -> None:
    german = Passage(
        "g", "report", "Kein Pleuraerguss. Die Frakturen sind alt.",
        Source("c", "d", "0", language="de"),
    )  # fmt: skip
    asked = build_prompt(
        Question(text="Gibt es einen Pleuraerguss?"), Selection((Hit(german, 1.0, 1),))
    )
    assert ExtractiveGenerator().generate([asked])[0].text.startswith("No [1].")


def lowered(found: list[str]) -> set[str]:
    """Fold the capital with which a quotation begins."""
    return {word.lower() for word in found}


FRAME = lowered(
    words("Yes No A B C D The most similar pictures in this library In a similar case was answered")
)
PROSE = st.lists(
    st.sampled_from([*" ".join(BOOK).split(), "[1]", "[7]", "no", "\n", "Fig. 1", "(a)"]),
    min_size=1,
    max_size=30,
).map(" ".join)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.lists(PROSE, max_size=4),
    PROSE,
    st.lists(PROSE, max_size=4, unique=True),
    st.sampled_from(["", "Is ", "What is ", "Where is "]),
)
def test_every_claim_is_made_of_words_of_what_it_cites(
    texts: list[str], asked: str, options: list[str], start: str
) -> None:
    question = Question(text=start + asked, options=tuple(options))
    made = prompt(question, *texts)
    generation = ExtractiveGenerator().generate([made])[0]
    cited = cite(generation.text, made)
    assert cited.error is None
    if generation.abstained:
        return
    assert cited.citations
    lines = generation.text.split("\n", 1) if options else ["", generation.text]
    for claim in cite(lines[-1], made).claims:
        source = " ".join(made.evidence[n - 1].passage.text for n in claim.markers)
        assert lowered(words(claim.text)) <= lowered(words(source)) | FRAME
