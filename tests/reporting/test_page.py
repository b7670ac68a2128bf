import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from medrag.records import Answer, Citation, Claim, Hit, Passage, Question, Selection
from medrag.reporting import answer_page
from tests.reporting.made import ROOTS, abstained, answered, figure, report, source


class _Reader(HTMLParser):
    """Collect what a page holds."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = dict(attrs)
        self.attributes |= set(values)
        self.ids += [values["id"] or ""] if "id" in values else []
        self.links += [values["href"] or ""] if "href" in values else []
        self.sources += [values["src"] or ""] if "src" in values else []

    def handle_data(self, data: str) -> None:
        self.text += "" if self.tags[-1:] == ["style"] else data


def read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    return reader


def test_every_link_of_the_page_leads_to_a_place_in_it() -> None:
    page = read(answer_page([answered(), abstained(), answered()], roots=ROOTS))
    assert len(page.ids) == len(set(page.ids))
    assert page.links
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)


def test_the_page_needs_nothing_from_outside_and_runs_nothing() -> None:
    html = answer_page([answered()], roots=ROOTS)
    page = read(html)
    assert all(uri.startswith("data:image/webp;base64,") for uri in page.sources)
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert "default-src 'none'" in html
    assert "unsafe-inline" not in html


def test_an_abstention_is_said_plainly_and_shows_what_was_read() -> None:
    page = read(answer_page([abstained()], roots=ROOTS))
    assert "No answer" in page.text
    assert "No evidence found in this library." in page.text
    assert "Closest passages; none of them answers (1)" in page.text


def test_a_citation_shows_source_score_and_channels() -> None:
    page = read(answer_page([answered()], roots=ROOTS))
    assert "sample · textbook.pdf · page 7 · radiology · CC0-1.0" in page.text
    assert "lexical rank 2, 7.25" in page.text
    assert "score 0.03" in page.text


def test_a_report_is_said_to_be_of_another_patient() -> None:
    assert "another patient" in read(answer_page([answered()], roots=ROOTS)).text


def test_what_the_guard_removed_is_listed() -> None:
    page = read(answer_page([answered()], roots=ROOTS))
    assert "Kept out: the question's own picture, study or patient (1)" in page.text


def test_without_originals_the_evidence_stays_readable_and_says_what_is_missing() -> None:
    page = read(answer_page([answered()], roots={}))
    assert "The original is not on this machine." in page.text
    assert "The visceral pleural line is seen." in page.text


def test_the_chosen_option_is_marked() -> None:
    question = Question("Which?", options=("Drusen", "Cotton wool spots"))
    page = read(answer_page([Answer(question, "B. Cotton wool spots.")], roots={}))
    assert "Cotton wool spots chosen" in page.text
    assert page.text.count("chosen") == 1


def test_an_error_and_an_unsupported_claim_are_shown() -> None:
    broken = replace(
        answered(), error="[9] points to nothing", claims=(Claim("Wrong.", (1,), "unsupported"),)
    )
    text = read(answer_page([broken], roots={})).text
    assert "[9] points to nothing" in text
    assert "not supported" in text
    assert "Wrong." in text


def test_a_table_is_set_as_a_table() -> None:
    rows = [["Cell", "Share"], ["Neutrophil", "40 to 75%"], ["Monocyte", "2 to 10%"]]
    passage = Passage("t", "table", "Table 3.1. Cells.", source(), (), {"rows": rows})
    claim = Claim("Neutrophil: Share 40 to 75%.", (1,))
    citations = (Citation(1, passage, 1.0),)
    answer = Answer(Question("?"), f"{claim.text} [1]", claims=(claim,), citations=citations)
    html = answer_page([answer], roots={})
    tags = read(html).tags
    assert (tags.count("th"), tags.count("td")) == (2, 4)
    assert re.findall(r'<tr class="marked"><td dir="auto">(\w+)', html) == ["Neutrophil"]


hostile = st.text(st.characters(), max_size=40) | st.sampled_from(
    ['"><script>x</script>', "</style><img src=x onerror=x>", "[1", "\u202e[1]", "\ud800", "]]>"]
)


@settings(max_examples=60, deadline=None)
@given(hostile, hostile, hostile)
def test_what_was_retrieved_cannot_change_the_page(words: str, name: str, title: str) -> None:
    passage = Passage("p", "text", words, source(name, domain=words), (), {"title": title})
    fact = Passage("f", "fact", words, source(), (), {"head": words, "relation": name, "tail": "t"})
    answer = Answer(
        Question(words, id=name, options=(title,)), f"{words} [1].",
        citations=(Citation(1, passage, 1.0), Citation(2, fact, 0.5)),
        selection=Selection((Hit(passage, 1.0, 1),), (Hit(fact, 0.5, 2),), name),
        error=title, model=name,
    )  # fmt: skip
    plain = replace(
        answer, question=Question("a"), text="a [1].", error="a", model="a",
        citations=tuple(replace(c, passage=_tamed(c.passage)) for c in answer.citations),
        selection=Selection((Hit(_tamed(passage), 1.0, 1),), (Hit(_tamed(fact), 0.5, 2),), "a"),
    )  # fmt: skip
    page = answer_page([answer], roots={}, title=title)
    page.encode("utf-8")
    assert set(read(page).tags) <= set(read(answer_page([plain], roots={})).tags) | _MAY
    assert not {each for each in read(page).attributes if each.startswith("on")}


# What texts of another length or shape may bring along, rightly.
_MAY = {"ol", "li", "mark", "p", "b", "br", "span", "svg", "g", "title", "details", "summary"}


def _tamed(passage: Passage) -> Passage:
    fields = dict.fromkeys(passage.fields, "a")
    return replace(passage, text="a", source=replace(passage.source, domain="a"), fields=fields)


def test_one_answer_needs_no_overview_and_several_have_one() -> None:
    assert "nav" not in read(answer_page([abstained()], roots={})).tags
    assert "nav" in read(answer_page([abstained(), abstained()], roots={})).tags


def test_the_page_of_no_answers_is_still_a_page() -> None:
    assert answer_page([], roots={}).endswith("</html>\n")


def test_a_long_passage_is_folded_away() -> None:
    passage = replace(figure(), kind="text", text="Many words stand here. " * 100)
    answer = Answer(Question("?"), "Many [1].", citations=(Citation(1, passage, 1.0),))
    assert "whole passage" in read(answer_page([answer], roots={})).text


def test_a_second_answer_uses_ids_of_its_own() -> None:
    html = answer_page([answered(), answered()], roots={"sample": Path("nowhere")})
    assert re.search(r'id="q1-e1"', html)
    assert re.search(r'id="q2-e1"', html)


def test_sections_of_a_report_are_named() -> None:
    answer = Answer(Question("?"), "Air [1].", citations=(Citation(1, report(), 1.0),))
    text = read(answer_page([answer], roots={})).text
    assert "Findings. A visceral pleural line is seen." in text
