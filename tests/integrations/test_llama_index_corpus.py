"""Nodes and documents of LlamaIndex as a corpus: written, read, and written back."""

import base64
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import Document, ImageDocument, ImageNode, NodeWithScore, TextNode
from PIL import Image

from medrag import build_index
from medrag.errors import InputFileError
from medrag.identity import pseudonym
from medrag.images import read_image, resolved
from medrag.ingestion.llama_index import NodesIngestor
from medrag.ingestion.textbook import TextbookIngestor
from medrag.integrations.llama_index import write_corpus
from medrag.integrations.llama_index.nodes import Showing, node_of
from medrag.integrations.llama_index.places import regions_of
from medrag.records import Corpus, Hit, Passage, Region, Skipped
from medrag.reporting.evidence import passage_pictures

LIBRARY = Path(__file__).parents[2] / "corpora" / "sample" / "library"
KEY = b"a key of the tests, long enough."
PLEURA = "Fluid in the pleural space blunts the costophrenic angle."


def node(text: str = PLEURA, **metadata: Any) -> TextNode:
    return TextNode(text=text, metadata=metadata)


def png(value: int = 90) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((8, 6, 3), value, dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def read(folder: Path) -> list[Passage | Skipped]:
    """Read all files of a corpus as a build does."""
    ingestor = NodesIngestor(corpus=Corpus("c", folder), key=KEY)
    return [
        each for path in sorted(folder.glob("*.jsonl")) for each in ingestor.passages(path)
    ]  # fmt: skip


def passages(folder: Path) -> list[Passage]:
    found = read(folder)
    assert not [each for each in found if isinstance(each, Skipped)]
    return [each for each in found if isinstance(each, Passage)]


def written(folder: Path, *nodes: Any) -> list[Passage]:
    write_corpus(nodes, folder)
    return passages(folder)


def test_an_index_is_built_from_nodes(tmp_path: Path) -> None:
    nodes = [node(file_name="thorax.pdf", page_label="12"), node("Four chambers.", title="Heart")]
    card = write_corpus(nodes, tmp_path / "mine", licence="CC0-1.0", domain="radiology")
    with build_index(tmp_path / "index", sources=[card]) as index:
        (hit,) = index.search("costophrenic angle", k=1)
        assert index.corpora == ("mine",)
    source = hit.passage.source
    assert (source.document, source.regions) == ("thorax.pdf.nodes.jsonl", (Region(12),))
    assert (source.licence, source.domain) == ("CC0-1.0", "radiology")
    assert hit.passage.fields["doc_id"] == "thorax.pdf"
    assert hit.passage.fields["node_id"] == nodes[0].node_id


def test_from_medrag_and_back_keeps_text_page_boxes_and_pictures(tmp_path: Path) -> None:
    with build_index(
        tmp_path / "index",
        sources=[LIBRARY / "textbook.pdf", LIBRARY / "cases.jsonl", LIBRARY / "signs.obo"],
    ) as index:
        showing = Showing(frozenset({"figure"}), 10**8)
        before = {each.id: each for each in index.passages if each.kind != "page"}
        nodes = [node_of(Hit(each, 1.0, 1), index.resolve, showing) for each in before.values()]
        original = {each.id: index.resolve(each) for each in before.values()}
    after = written(tmp_path / "corpus", *nodes)
    assert len(after) == len(before) > 50
    for each in after:
        was = before[each.fields["node_id"]]
        assert (each.kind, each.text) == (was.kind, was.text)
        assert each.source.regions == was.source.regions
        assert each.source.domain == was.source.domain
        assert each.fields.get("title") == was.fields.get("title")
        assert each.fields.get("answer") == was.fields.get("answer")
        if each.images:
            now = read_image(resolved(each, tmp_path / "corpus").images[0])
            np.testing.assert_array_equal(now, read_image(original[was.id].images[0]))


def test_pages_of_a_reader_of_llama_index_are_those_of_medrag(tmp_path: Path) -> None:
    read_pages = pytest.importorskip("llama_index.readers.file").PDFReader().load_data
    theirs = written(tmp_path, *read_pages(LIBRARY / "textbook.pdf"))
    ours = TextbookIngestor(corpus=Corpus("c", LIBRARY)).passages(LIBRARY / "textbook.pdf")
    figures = [each for each in ours if isinstance(each, Passage) and each.kind == "figure"]
    assert len(figures) > 10
    for figure in figures:
        caption = " ".join(figure.text.split())[:25]
        found = [each for each in theirs if caption in " ".join(each.text.split())]
        assert {each.source.regions[0].page for each in found} == {figure.source.regions[0].page}


def test_the_folder_of_a_corpus_is_read_as_its_card_is(tmp_path: Path) -> None:
    picture = base64.b64encode(png()).decode()
    card = write_corpus([ImageNode(text="A smear.", image=picture), node(page=3)], tmp_path / "c")
    found = []
    for name, source in (("by card", card), ("by folder", card.parent)):
        with build_index(tmp_path / name, sources=[source]) as index:
            assert set(index.channels) == {"lexical", "image"}
            found.append([(each.kind, each.source.regions) for each in index.passages])
    assert found[0] == found[1] == [("image", ()), ("text", (Region(3),))]


def test_a_picture_is_shown_where_the_page_it_is_of_is_not_there(tmp_path: Path) -> None:
    picture = base64.b64encode(png()).decode()
    figure = ImageNode(text="A smear.", image=picture, metadata={"page": 3, "kind": "figure"})
    (after,) = written(tmp_path, figure)
    (shown,) = passage_pictures(after, tmp_path)
    assert (shown.problem, shown.width) == ("", 6)


def test_ids_do_not_depend_on_those_that_readers_draw_anew(tmp_path: Path) -> None:
    first = written(tmp_path / "a", node(page=3), node("Other.", page=3))
    second = written(tmp_path / "b", node("Other.", page=3), node(page=3))
    assert {each.id for each in first} == {each.id for each in second}
    elsewhere = written(tmp_path / "c", node(page=4))
    assert elsewhere[0].id not in {each.id for each in first}


def test_the_same_words_at_the_same_place_count_once(tmp_path: Path) -> None:
    write_corpus([node(page=3), node(page=3), node(page=4)], tmp_path)
    kept = [each for each in read(tmp_path) if isinstance(each, Passage)]
    (again,) = (each for each in read(tmp_path) if isinstance(each, Skipped))
    assert len(kept) == 2
    assert (again.reason, again.failed) == ("duplicate", False)


def test_a_document_is_cut_and_a_node_is_not(tmp_path: Path) -> None:
    text = " ".join(f"Sentence {i} says what the others say." for i in range(200))
    document = Document(text=text, metadata={"file_path": "/home/me/books/heart.md"})
    pieces = written(tmp_path / "a", document)
    assert len(pieces) > 3
    assert {each.source.document for each in pieces} == {"heart.md.nodes.jsonl"}
    assert " ".join(each.text for each in pieces) == text
    cut = SentenceSplitter(chunk_size=100, chunk_overlap=0).get_nodes_from_documents([document])
    assert [each.text for each in written(tmp_path / "b", *cut)] == [each.text for each in cut]


def test_there_is_a_file_for_each_document_whatever_it_is_called(tmp_path: Path) -> None:
    names = ["a b.pdf", "a_b.pdf", "A_B.pdf", "../../etc/passwd", "…", "x" * 300]
    after = written(tmp_path / "c", *(node(f"Of {name}.", file_name=name) for name in names))
    assert len({each.source.document.lower() for each in after}) == len(names)
    assert {each.fields["doc_id"] for each in after} == set(names)
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize("kind", ["bytes", "path", "document", "resource"])
def test_a_picture_is_kept_below_the_folder(tmp_path: Path, kind: str) -> None:
    (tmp_path / "x.png").write_bytes(png())
    encoded = base64.b64encode(png()).decode()
    given: Any = {
        "bytes": ImageNode(text="A smear.", image=encoded),
        "path": ImageNode(text="A smear.", image_path=str(tmp_path / "x.png")),
        "document": ImageDocument(text="A smear.", image_path=str(tmp_path / "x.png")),
        "resource": ImageDocument(text="A smear.", image=encoded),
    }[kind]
    (after,) = written(tmp_path / "c", NodeWithScore(node=given))
    assert (after.kind, after.text) == ("image", "A smear.")
    (image,) = after.images
    assert image.path.startswith("images/")
    assert image.sha256
    (tmp_path / "x.png").unlink()
    assert (tmp_path / "c" / image.path).read_bytes() == png()


def test_what_an_earlier_call_wrote_is_replaced_and_other_files_stay(tmp_path: Path) -> None:
    old = ImageNode(image=base64.b64encode(png(1)).decode(), metadata={"file_name": "a"})
    write_corpus([old, node(file_name="b")], tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "images" / "mine.png").write_bytes(png(2))
    write_corpus([node(file_name="b")], tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "b.nodes.jsonl", "corpus.yaml", "images", "notes.txt"
    ]  # fmt: skip
    assert [each.name for each in (tmp_path / "images").iterdir()] == ["mine.png"]


def test_only_what_is_known_is_kept_of_metadata_and_a_patient_as_a_hash(tmp_path: Path) -> None:
    told = {"subject_id": "4711", "study": 12, "time": "2020-01-25", "name": "Jane Doe"}
    (after,) = written(tmp_path, node(**told))
    assert after.source.subject == pseudonym("4711", KEY)
    assert after.source.study == pseudonym("12", KEY)
    assert after.source.time == "2020-01-25"
    assert "Jane" not in "".join(path.read_text() for path in tmp_path.glob("*.jsonl"))


def test_labels_that_are_no_numbers_make_no_page_of_any(tmp_path: Path) -> None:
    labelled = [node(f"Of {label}.", file_name="b", page_label=label) for label in ("xii", "1")]
    after = written(tmp_path, *labelled, node("Of 2.", file_name="c", page_label="2"))
    assert {each.text: each.source.regions for each in after} == {
        "Of xii.": (), "Of 1.": (), "Of 2.": (Region(2),)
    }  # fmt: skip
    assert [each.fields["page_label"] for each in after] == ["xii", "1", "2"]


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"page": 7}, [(7, None)]),
        ({"page_number": "7"}, [(7, None)]),
        ({"page": 7, "bbox": (1, 2, 3, 4)}, [(7, [1, 2, 3, 4])]),
        ({"page": 7, "bbox": {"x0": 1, "y0": 2, "x1": 3, "y1": 4}}, [(7, [1, 2, 3, 4])]),
        ({"page": 7, "bbox": {"x": 1, "y": 2, "w": 3, "h": 4}}, [(7, [1, 2, 4, 6])]),
        (
            {"page": 7, "boxes": [[1, 2, 3, 4], [5, 6, 7, 8]]},
            [(7, [1, 2, 3, 4]), (7, [5, 6, 7, 8])],
        ),
        ({"regions": [{"page": 7, "box": None}], "page": 9}, [(7, None)]),
        ({"page": "xii", "source": "3"}, []),
        ({"page": True}, []),
        ({}, []),
    ],
)
def test_places_are_read_in_the_forms_of_readers(
    metadata: dict[str, Any], expected: list[Any]
) -> None:
    found = regions_of(metadata, numbered=True)
    assert [(each["page"], each["box"]) for each in found] == expected


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (node(page=1, bbox=[1, 2, 3]), r"node '.*' of 'nodes': the box \[1, 2, 3\] is neither"),
        (node(page=1, bbox={"l": 1, "t": 2, "r": 3, "b": 4}), "is neither"),
        (node(page=1, bbox=[3, 2, 1, 4]), "has no area"),
        (node(page=1, boxes="all"), "expected a list of boxes"),
        (node(page=1, bbox=[1, 2, 3, 10**400]), "is neither"),
        (node(page=0), "'page' counts from 0"),
        (node(kind="figure", fields={"caption": {1}}), r"node '.*' of 'nodes': .* set"),
        (node(kind="figure", fields={"caption": math.nan}), r"node '.*' of 'nodes': .* JSON"),
        (node("  "), "neither text nor a picture"),
        (ImageNode(image="no base64!"), "not in base64"),
        (ImageNode(image=base64.b64encode(b"<svg/>").decode()), "its picture is none of PNG"),
        (ImageNode(image_url="https://example.org/a.png"), "is an address; download it"),
    ],
)
def test_a_node_that_cannot_be_kept_is_named(tmp_path: Path, given: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        write_corpus([given], tmp_path)
    assert not (tmp_path / "corpus.yaml").exists()


def test_half_a_character_of_the_metadata_is_replaced(tmp_path: Path) -> None:
    write_corpus([node(title="\ud800!", file_name="\ud800.pdf")], tmp_path)
    (file,) = tmp_path.glob("*.nodes.jsonl")
    assert json.loads(file.read_text("utf-8"))["title"] == "\ufffd!"


def test_a_lost_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"gone\.png: cannot be read"):
        write_corpus([ImageNode(image_path=str(tmp_path / "gone.png"))], tmp_path)


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ({"text": ""}, "neither text nor picture"),
        ({"text": "x", "kind": "essay"}, "the kind 'essay' is none of"),
        ({"text": "x", "regions": {}}, None),
        ({"text": "x", "regions": 3}, "'regions' holds no list"),
        ({"text": "x", "regions": [3]}, "the region '3' is no object"),
        ({"text": "x", "regions": [{"page": 0}]}, "the page '0' is no whole number from 1"),
        ({"text": "x", "regions": [{"page": 1, "box": [1, 2]}]}, r"is not \[x0, y0, x1, y1\]"),
        ({"text": "x", "regions": [{"page": 1, "box": [3, 2, 1, 4]}]}, "has no area"),
        ({"text": "x", "fields": [1]}, "'fields' holds no object"),
        ({"text": ["x"]}, "'text' holds a list"),
        ({"image": "../secret.png"}, "outside the folder"),
        ({"image": "none.png"}, "no picture 'none.png'"),
    ],
)
def test_a_line_that_another_hand_wrote_is_checked(
    tmp_path: Path, record: dict[str, Any], problem: str | None
) -> None:
    (tmp_path / "a.nodes.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
    (found,) = read(tmp_path)
    if problem is None:
        assert isinstance(found, Passage)
        return
    assert isinstance(found, Skipped)
    assert found.failed
    assert found.detail.startswith("line 1: ")
    with pytest.raises(AssertionError, match=problem):
        raise AssertionError(found.detail)


def test_a_kind_that_lacks_what_it_needs_is_a_text(tmp_path: Path) -> None:
    after = written(
        tmp_path,
        node("Q", kind="case", page=1),
        node("F", kind="figure", page=1),
        node("H", kind="fact", fields={"head": "a", "relation": "is", "tail": "b"}),
    )
    assert [each.kind for each in after] == ["text", "text", "fact"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
NAMES = st.sampled_from(["page", "page_label", "bbox", "boxes", "regions", "box", "page_number"])


@given(st.dictionaries(NAMES, JSON))
def test_any_metadata_give_places_or_are_refused(metadata: dict[str, Any]) -> None:
    try:
        found = regions_of(metadata, numbered=True)
    except ValueError:
        return
    for each in found:
        assert each["page"] is None or each["page"] >= 1
        assert each["box"] is None or (each["box"][0] < each["box"][2])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lines")


KEYS = st.sampled_from(
    ["text", "kind", "regions", "fields", "image", "document", "subject", "time", "whole", "title"]
)


@given(st.dictionaries(KEYS, JSON))
def test_any_line_gives_passages_or_says_why_not(folder: Path, record: dict[str, Any]) -> None:
    (folder / "a.nodes.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
    for each in read(folder):
        assert isinstance(each, Passage | Skipped)
        assert each.id if isinstance(each, Passage) else each.detail
