import pytest

from medrag.generation.extractive.quoting import capitalised, heading_of, quotable
from medrag.records import Kind, Passage, Source


def passage(kind: Kind, text: str, **fields: object) -> Passage:
    return Passage("p", kind, text, Source("c", "d", "0"), fields=fields)


def test_the_number_of_a_figure_stays_with_its_title() -> None:
    figure = passage("figure", "Figure 1.3. The ratio of the heart. A is the width.")
    assert quotable(figure) == ["Figure 1.3. The ratio of the heart.", "A is the width."]


def test_the_rows_of_a_table_are_said_with_their_headings() -> None:
    rows = [
        ["Cell", "Share", "Nucleus"],
        ["Monocyte", "2 to 10%", ""],
        ["Basophil", "2%", "hidden"],
    ]
    table = passage("table", "Table 1. White cells.\nCell\tShare\tNucleus\n...", rows=rows)
    assert quotable(table) == [
        "Table 1. White cells.",
        "Monocyte: Share 2 to 10%.",
        "Basophil: Share 2%; Nucleus hidden.",
    ]


def test_a_table_of_ragged_rows_is_quoted_line_by_line() -> None:
    table = passage("table", "Table 1\na b\nc", rows=[["a", "b"], ["c"]])
    assert quotable(table) == ["Table 1", "a b", "c"]


def test_a_term_is_named_in_each_of_its_sentences() -> None:
    term = passage("term", "effusion. Fluid in a space. Kind of: finding.", name="effusion")
    assert quotable(term) == ["Effusion: Fluid in a space.", "Effusion, kind of: finding."]


def test_a_report_gives_findings_and_impression_and_not_why_it_was_made() -> None:
    sections = {
        "indication": "Rule out effusion.",
        "findings": "Clear. Sharp.",
        "impression": "Ok.",
    }
    report = passage("report", "INDICATION: Rule out effusion. ...", sections=sections)
    assert quotable(report) == ["Clear.", "Sharp.", "Ok."]


def test_a_case_is_one_sentence_of_question_and_answer() -> None:
    case = passage("case", "x", question="Is it so?", answer="Yes.")
    assert quotable(case) == ["In a similar case, “Is it so?” was answered “Yes”."]


def test_a_case_without_answer_is_quoted_as_it_stands() -> None:
    assert quotable(passage("case", "Is it so?", question="Is it so?")) == ["Is it so?"]


def test_nothing_quotable_reads_as_a_marker() -> None:
    assert quotable(passage("text", "So it is [3].\n[4]\n--\n")) == ["So it is (3).", "(4)"]


def test_a_term_that_is_a_bare_name_says_nothing() -> None:
    assert quotable(passage("term", "effusion.", name="effusion")) == []


@pytest.mark.parametrize(
    ("text", "begun"),
    [
        ("influenza has symptom fever.", "Influenza has symptom fever."),
        ("cell-mediated immunity.", "Cell-mediated immunity."),
        ("p53 is a protein.", "p53 is a protein."),
        ("pH is a measure.", "pH is a measure."),
        ("mRNA is read.", "mRNA is read."),
        ("c-myc is a gene.", "c-myc is a gene."),
        ("α-globin is a chain.", "α-globin is a chain."),
        ("", ""),
    ],
)
def test_a_quotation_begins_with_a_capital_unless_that_changes_a_symbol(
    text: str, begun: str
) -> None:
    assert capitalised(text) == begun


def test_the_heading_under_which_a_term_says_something_is_known() -> None:
    term = passage("term", "flu. A disease. Kind of: infection.", name="flu")
    assert [heading_of(term, said) for said in quotable(term)] == ["", "kind of"]
