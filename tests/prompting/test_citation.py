import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.language import markers, neutralised, without_markers
from medrag.prompting.citation import cite
from medrag.records import Hit, Passage, Prompt, Question, Source


def prompt(n: int = 4) -> Prompt:
    hits = [
        Hit(Passage(f"p{i}", "text", f"Text {i}.", Source("c", "d.txt", "0")), 1 / i, i)
        for i in range(1, n + 1)
    ]
    return Prompt(Question(text="Why?"), tuple(hits))


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("It is so [1].", (1,)),
        ("It is so [2, 1].", (1, 2)),
        ("It is so [3][1].", (1, 3)),
        ("It is so [1-3].", (1, 2, 3)),
        ("It is so [1–2, 4].", (1, 2, 4)),
        ("It is so [ 2 ].", (2,)),
        ("It is so. [4]", (4,)),
        ("It is so.", ()),
        ("It is [sic] so [1].", (1,)),
    ],
)
def test_markers_resolve_to_passages_in_order_and_once(text: str, used: tuple[int, ...]) -> None:
    cited = cite(text, prompt())
    assert tuple(citation.marker for citation in cited.citations) == used
    assert [c.passage.id for c in cited.citations] == [f"p{n}" for n in used]
    assert cited.claims[0].markers == used
    assert cited.error is None


def test_a_citation_carries_the_score_of_its_hit() -> None:
    assert cite("So [2].", prompt()).citations[0].score == 0.5


@pytest.mark.parametrize("broken", ["[7]", "[0]", "[3-1]", "[1-999999999999999999]", "[1, 9]"])
def test_a_marker_that_points_to_nothing_is_named_in_the_error(broken: str) -> None:
    cited = cite(f"It is so {broken}. And so [2].", prompt())
    assert cited.error is not None
    assert broken in cited.error
    assert "markers 1 to 4" in cited.error
    assert 2 in [citation.marker for citation in cited.citations]


def test_any_marker_is_broken_without_evidence() -> None:
    cited = cite("It is so [1].", prompt(0))
    assert cited.error == "[1] points to nothing: the prompt holds no evidence"
    assert cited.citations == ()


def test_claims_are_the_sentences_without_markers() -> None:
    cited = cite(
        "B. regional anatomy [1].\nIt is Fig. 2 [2]. It beats. [3] It rests [1].", prompt()
    )
    assert [(claim.text, claim.markers) for claim in cited.claims] == [
        ("B. regional anatomy.", (1,)),
        ("It is Fig. 2.", (2,)),
        ("It beats.", (3,)),
        ("It rests.", (1,)),
    ]


def test_an_answer_from_evidence_in_an_unknown_language_is_read_as_english() -> None:
    hit = Hit(Passage("p", "text", "Text.", Source("c", "d.txt", "0", language="xx")), 1, 1)
    cited = cite("It is Fig. 2 [1]. It is not.", Prompt(Question("Why?"), (hit,)))
    assert [claim.text for claim in cited.claims] == ["It is Fig. 2.", "It is not."]


def test_markers_at_the_start_of_a_line_belong_to_that_line() -> None:
    cited = cite("The heart beats.\n[2] The lungs breathe.", prompt())
    assert [claim.markers for claim in cited.claims] == [(), (2,)]


def test_a_text_of_markers_alone_makes_no_claim_but_citations() -> None:
    cited = cite("[1][2]", prompt())
    assert cited.claims == ()
    assert [citation.marker for citation in cited.citations] == [1, 2]


TEXT = st.text(alphabet=st.sampled_from(list("ab [](),-–0123456789.\n")), max_size=60)


@given(TEXT)
def test_no_marker_is_dropped_in_silence(text: str) -> None:
    cited = cite(text, prompt())
    numbers = markers(text, 10**6).numbers
    assert [c.marker for c in cited.citations] == [n for n in numbers if n <= 4]
    if any(n > 4 for n in numbers):
        assert cited.error is not None


@given(TEXT)
def test_a_neutralised_text_holds_no_marker(text: str) -> None:
    safe = neutralised(text)
    assert markers(safe, 10**6) == ((), ())
    assert without_markers(safe) == safe.strip()


@given(TEXT, TEXT)
def test_a_neutralised_text_forges_no_marker_between_others(before: str, after: str) -> None:
    joined = f"{neutralised(before)} [1] {neutralised(after)}"
    assert markers(joined, 4).numbers == (1,)
