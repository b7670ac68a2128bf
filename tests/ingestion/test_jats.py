"""Journal articles in JATS XML."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from medrag.errors import InputFileError
from medrag.ingestion.jats import JatsIngestor
from medrag.records import Corpus, Passage, Skipped

ARTICLE = """<?xml version="1.0"?>
<!DOCTYPE article PUBLIC "-//NLM//DTD JATS (Z39.96)//EN" "JATS-archivearticle1.dtd">
<article xmlns:xlink="http://www.w3.org/1999/xlink"><front><article-meta>
<article-id pub-id-type="pmc">123</article-id><article-id pub-id-type="doi">10.1/x</article-id>
<title-group><article-title>On&nbsp;<italic>lungs</italic></article-title></title-group>
<pub-date><year>2020</year><month>3</month></pub-date>
<permissions><license xlink:href="http://creativecommons.org/licenses/by/4.0/"/></permissions>
<abstract><sec><title>Background</title><p>We looked.</p></sec></abstract></article-meta></front>
<body>
<sec><title>Methods</title>
<p>Cells<sup><xref ref-type="bibr" rid="b1">1</xref></sup> grew at 10<sup>3</sup>
[<xref ref-type="bibr" rid="b2">2</xref>].
<list><list-item><p>one</p></list-item><list-item><p>two</p></list-item></list></p>
<fig id="f1"><label>Figure 1</label>
<caption><title>The film</title><p>It shows a line.</p></caption><graphic xlink:href="film"/></fig>
<table-wrap><label>Table 1</label><caption><p>Doses</p></caption><table>
<thead><tr><th>Drug</th><th>mg</th></tr></thead><tbody><tr><td>A</td><td>5</td></tr></tbody>
</table></table-wrap>
<sec><title>Statistics</title><p>None.</p></sec>
<p>After the subsection.</p>
</sec></body>
<back><ref-list><ref id="b1"><mixed-citation>Somebody</mixed-citation></ref><ref id="b2"/>
</ref-list></back></article>"""


def _read(folder: Path, content: str) -> tuple[list[Passage], list[Skipped]]:
    path = folder / "a.nxml"
    path.write_text(content, encoding="utf-8")
    found = list(JatsIngestor(corpus=Corpus("c", folder)).passages(path))
    return (
        [each for each in found if isinstance(each, Passage)],
        [each for each in found if isinstance(each, Skipped)],
    )


def test_an_article_is_read_by_section(tmp_path: Path) -> None:
    passages, _ = _read(tmp_path, ARTICLE)
    texts = {each.fields["title"]: each.text for each in passages if each.kind == "text"}
    assert texts["On lungs > Abstract > Background"] == "We looked."
    assert texts["On lungs > Methods > Statistics"] == "None."
    assert any(each.text == "After the subsection." for each in passages)
    assert {each.fields["doc_id"] for each in passages} == {"PMC123"}


def test_raised_citation_numbers_do_not_run_into_words(tmp_path: Path) -> None:
    passages, _ = _read(tmp_path, ARTICLE)
    (methods,) = [each for each in passages if each.text.startswith("Cells")]
    assert methods.text == "Cells grew at 103 [2].\n\n- one\n- two"


def test_licence_and_day_are_those_of_the_article(tmp_path: Path) -> None:
    passages, _ = _read(tmp_path, ARTICLE)
    assert {each.source.licence for each in passages} == {"CC BY 4.0"}
    assert {each.source.time for each in passages} == {"2020-03"}


def test_references_are_left_out_and_counted(tmp_path: Path) -> None:
    passages, (skipped,) = _read(tmp_path, ARTICLE)
    assert not any("Somebody" in each.text for each in passages)
    assert (skipped.reason, skipped.detail) == ("references", "2 references")


def test_a_table_keeps_number_caption_and_rows(tmp_path: Path) -> None:
    passages, _ = _read(tmp_path, ARTICLE)
    (table,) = [each for each in passages if each.kind == "table"]
    assert table.text == "Table 1 Doses.\nDrug | mg\nA | 5"
    assert table.fields["number"] == "Table 1"


def test_a_figure_is_a_picture_only_where_its_file_lies_beside_the_article(tmp_path: Path) -> None:
    caption = "Figure 1 The film. It shows a line."
    passages, _ = _read(tmp_path, ARTICLE)
    assert [each.kind for each in passages if each.text == caption] == ["text"]
    Image.new("RGB", (8, 8)).save(tmp_path / "film.jpg")
    passages, _ = _read(tmp_path, ARTICLE)
    (figure,) = [each for each in passages if each.text == caption]
    assert figure.kind == "figure"
    assert figure.images[0].path == "film.jpg"
    assert figure.fields["number"] == "Figure 1"


def test_a_set_of_articles_keeps_them_apart(tmp_path: Path) -> None:
    # Without a document type, XML knows no names of characters.
    body = ARTICLE[ARTICLE.index("<article ") :].replace("&nbsp;", " ")
    second = body.replace(">123<", ">456<")
    passages, _ = _read(tmp_path, f"<pmc-articleset>{body}{second}</pmc-articleset>")
    assert {each.fields["doc_id"] for each in passages} == {"PMC123", "PMC456"}
    assert len({each.id for each in passages}) == len(passages)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (ARTICLE[:900], "not well-formed"),
        ("<book/>", "root <book>"),
        ("<article><front/></article>", "<abstract> or a <body>"),
        ('<!DOCTYPE a [<!ENTITY x "y">]><article><body><p>&x;</p></body></article>', "entity 'x'"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "/etc/passwd">]><article/>', "entity 'x'"),
        ("<article><body>" + "<sec>" * 5000 + "</sec>" * 5000 + "</body></article>", "deep"),
    ],
)
def test_an_article_that_cannot_be_trusted_is_refused(
    tmp_path: Path, content: str, words: str
) -> None:
    with pytest.raises(InputFileError, match=words):
        _read(tmp_path, content)


@given(st.text(max_size=80))
def test_any_text_in_an_article_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    try:
        passages, _ = _read(folder, f"<article><body><p>{text}</p></body></article>")
    except InputFileError:
        return
    assert all(each.text.strip() for each in passages)
