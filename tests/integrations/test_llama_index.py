"""Retrieval by medrag, as LlamaIndex asks for it."""

import asyncio
import base64
import io
import logging
import pickle
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import ImageNode, MetadataMode, NodeRelationship, QueryBundle, TextNode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
)
from PIL import Image

from medrag import build_index, load_pipeline
from medrag.config import Index
from medrag.errors import MedragError
from medrag.images import read_image
from medrag.integrations import llama_index
from medrag.integrations.llama_index import MedragRetriever
from medrag.integrations.llama_index.nodes import Showing, node_of
from medrag.records import Filter, Hit, ImageRef, Part, Passage, Region, Source

LIBRARY = Path(__file__).parents[2] / "corpora" / "sample" / "library"
SIGNS = "Which signs of pleural effusion does a frontal chest radiograph show?"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """The sample book with radiographs, their reports, and a DICOM file."""
    folder = tmp_path_factory.mktemp("llama") / "library"
    shutil.copytree(LIBRARY, folder, ignore=shutil.ignore_patterns("smears", "fundus", "cases*"))
    with build_index(folder.parent / "index", sources=[folder]) as opened:
        yield opened


def wants(key: str, value: Any, operator: FilterOperator = FilterOperator.EQ) -> MetadataFilter:
    return MetadataFilter(key=key, value=value, operator=operator)


def kinds(found: list[Any]) -> set[str]:
    return {each.metadata["kind"] for each in found}


def pixels_of(node: ImageNode) -> np.ndarray:
    assert node.image is not None
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(node.image))))


def test_the_public_names_are_there_and_the_class_is_one() -> None:
    for name in llama_index.__all__:
        assert getattr(llama_index, name) is not None
    assert MedragRetriever is llama_index.MedragRetriever
    assert pickle.loads(pickle.dumps(MedragRetriever)) is MedragRetriever  # noqa: S301
    assert issubclass(MedragRetriever, BaseRetriever)
    with pytest.raises(AttributeError, match="no attribute 'Retriever'"):
        _ = llama_index.Retriever


def test_a_node_says_where_its_passage_stands_and_how_it_was_found(index: Index) -> None:
    found = MedragRetriever(index, k=10).retrieve(SIGNS)
    assert [each.metadata["rank"] for each in found] == list(range(1, 11))
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    table = next(each for each in found if each.metadata["kind"] == "table")
    passage = next(each for each in index.passages if each.id == table.node_id)
    told = table.metadata
    assert told["passage_id"] == passage.id
    assert told["document"] == told["file_name"] == "textbook.pdf"
    assert told["document_sha256"] == passage.source.sha256
    assert told["page"] == passage.source.regions[0].page
    assert told["boxes"] == [list(each.box or ()) for each in passage.source.regions]
    assert told["regions"][0] == {"page": told["page"], "box": told["boxes"][0]}
    assert told["channels"]["lexical"]["rank"] >= 1
    assert table.node.ref_doc_id == "library/textbook.pdf"
    assert table.node.relationships[NodeRelationship.SOURCE].hash == passage.source.sha256
    assert table.text == passage.text


def test_ways_to_ask_agree(index: Index) -> None:
    retriever = MedragRetriever(index, k=4)
    plain = [each.node_id for each in retriever.retrieve(SIGNS)]
    told = QueryBundle("something else", custom_embedding_strs=[SIGNS])
    assert [each.node_id for each in retriever.retrieve(told)] == plain

    async def both() -> Any:
        return await asyncio.gather(retriever.aretrieve(SIGNS), retriever.aretrieve(SIGNS))

    for found in asyncio.run(both()):
        assert [each.node_id for each in found] == plain


def test_a_model_is_told_the_place_and_an_encoder_the_title_alone() -> None:
    source = Source("c", "book.pdf", "0" * 64, (Region(7, (1.0, 2.0, 3.0, 4.0)),))
    passage = Passage("p", "text", "Fluid sinks.", source, fields={"title": "Pleura"})
    hit = Hit(passage, 0.5, 1, parts={"lexical": Part(1, 3.0)})
    node = node_of(hit, None, Showing(frozenset(), 1)).node
    assert node.get_content(MetadataMode.LLM) == (
        "kind: text\ntitle: Pleura\ndocument: book.pdf\npage: 7\n\nFluid sinks."
    )
    assert node.get_content(MetadataMode.EMBED) == "title: Pleura\n\nFluid sinks."


def test_no_patient_and_no_time_is_in_a_node_and_another_patient_is_said_to_be_one() -> None:
    source = Source("c", "r.csv", "0" * 64, subject="p-1", study="p-2", time="2020-01-25")
    passage = Passage("p", "report", "Effusion.", source, fields={"image_paths": ["p10/s50.jpg"]})
    node = node_of(Hit(passage, 0.5, 1), None, Showing(frozenset(), 1)).node
    written = node.to_json()
    for secret in ("p-1", "p-2", "2020-01-25", "p10/s50.jpg"):
        assert secret not in written
    assert "patient: not the one that is asked about" in node.get_content(MetadataMode.LLM)


def test_a_figure_of_a_pdf_is_an_image_node_with_pixels_and_words(index: Index) -> None:
    wanted = MetadataFilters(filters=[wants("kind", "figure")])
    found = MedragRetriever(index, k=1, filters=wanted).retrieve("left pleural effusion")[0].node
    assert isinstance(found, ImageNode)
    assert found.image_path is None
    assert found.image_mimetype == "image/png"
    passage = index.resolve(index.passages.by_id(found.node_id))  # type: ignore[attr-defined]
    np.testing.assert_array_equal(pixels_of(found), read_image(passage.images[0]))
    words, picture = found.get_content_blocks()
    assert words.text == passage.text
    assert picture.image_mimetype == "image/png"
    assert found.metadata["picture"]["page"] == found.metadata["page"]


def test_a_dicom_file_is_drawn_and_no_larger_than_asked(index: Index) -> None:
    scan = next(p for p in index.passages if p.source.document.endswith(".dcm"))
    node = node_of(Hit(scan, 1.0, 1), index.resolve, Showing(frozenset({"image"}), 5000)).node
    height, width = pixels_of(node).shape[:2]
    assert 4000 < height * width <= 5000


def test_a_common_file_is_given_by_its_path_and_others_are_drawn(tmp_path: Path) -> None:
    def node(name: str, **options: Any) -> Any:
        passage = Passage("p", "image", "", Source("c", name, ""), (ImageRef(name, **options),))
        return node_of(
            Hit(passage, 1.0, 1),
            lambda p: replace(p, images=(replace(p.images[0], path=str(tmp_path / name)),)),
            Showing(frozenset({"image"}), 1000),
        ).node

    grey = Image.fromarray(np.full((20, 30), 128, dtype=np.uint8))
    grey.save(tmp_path / "a.png")
    assert node("a.png").image_path == str(tmp_path / "a.png")
    assert node("a.png").image is None
    assert pixels_of(node("a.png", box=(0.0, 0.0, 10.0, 5.0))).shape == (5, 10, 3)
    grey.save(tmp_path / "b.tif")
    assert pixels_of(node("b.tif")).shape == (20, 30, 3)
    grey.resize((300, 200)).save(tmp_path / "c.png")
    assert node("c.png").image_path is None
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter turn
    grey.save(tmp_path / "d.jpg", exif=turned)
    assert pixels_of(node("d.jpg")).shape == (30, 20, 3)
    # 12 bits in 16, which most models would see black.
    Image.fromarray(np.full((20, 30), 4095, dtype=np.uint16)).save(tmp_path / "e.png")
    assert pixels_of(node("e.png")).max() == 255


def test_a_picture_that_is_gone_leaves_the_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    image = ImageRef(str(tmp_path / "gone.png"))
    passages = [Passage("p", "image", text, Source("c", "d", ""), (image,)) for text in ("X.", "")]
    with caplog.at_level(logging.WARNING):
        nodes = [
            node_of(Hit(each, 1.0, 1), None, Showing(frozenset({"image"}), 9)).node
            for each in passages
        ]
    assert [type(node) for node in nodes] == [TextNode, TextNode]
    assert [node.text for node in nodes] == ["X.", "(image without text)"]
    assert "gone.png" in caplog.text


def test_reports_show_their_picture_where_asked(index: Index) -> None:
    wanted = MetadataFilters(filters=[wants("kind", "report")])
    plain = MedragRetriever(index, k=2, filters=wanted)
    assert {type(each.node) for each in plain.retrieve("effusion")} == {TextNode}
    shown = MedragRetriever(index, k=2, filters=wanted, shown=["report"]).retrieve("effusion")
    assert all(isinstance(each.node, ImageNode) for each in shown)
    assert all(Path(each.node.image_path).is_file() for each in shown)


def test_the_guard_keeps_the_own_picture_and_patient_out(index: Index) -> None:
    own = LIBRARY / "radiographs" / "s02.jpg"
    (mine,) = (
        p for p in index.passages if any(i.path.endswith("s02.jpg") for i in p.images)
        and p.kind == "report"
    )  # fmt: skip
    asked = QueryBundle("", image_path=str(own))
    found = {each.node_id for each in MedragRetriever(index, k=20, guard=False).retrieve(asked)}
    assert mine.id in found
    found = {each.node_id for each in MedragRetriever(index, k=20).retrieve(asked)}
    assert mine.id not in found
    assert found
    about = MedragRetriever(index, k=20, subject=mine.source.subject)
    assert mine.id not in {each.node_id for each in about.retrieve(mine.text)}
    assert mine.id in {each.node_id for each in MedragRetriever(index).retrieve(mine.text)}


def test_filters_narrow_and_never_widen(index: Index) -> None:
    def found(
        filters: MetadataFilters,
        allow: Filter = Filter(),  # noqa: B008
        text: str = "pleural effusion",
    ) -> list[Any]:
        pipeline = load_pipeline("sample", index=index, allow=allow)
        return MedragRetriever(pipeline, filters=filters).retrieve(text)  # type: ignore[no-any-return]

    several = wants("kind", ["term", "report"], FilterOperator.IN)
    assert kinds(found(MetadataFilters(filters=[several]))) == {"term", "report"}
    both = MetadataFilters(filters=[several, MetadataFilters(filters=[wants("kind", "term")])])
    assert kinds(found(both)) == {"term"}
    only = Filter(kinds=frozenset({"report"}))
    assert kinds(found(MetadataFilters(filters=[several]), only)) == {"report"}
    assert found(MetadataFilters(filters=[wants("kind", "term")]), only) == []
    assert found(MetadataFilters(filters=[wants("kind", [], FilterOperator.IN)])) == []
    assert found(MetadataFilters(filters=[wants("corpus", "another")])) == []
    scans = found(MetadataFilters(filters=[wants("domain", "radiology")]), text="radiograph")
    assert {each.metadata["domain"] for each in scans} == {"radiology"}
    one = MetadataFilters(filters=[wants("kind", "term")], condition=FilterCondition.OR)
    assert kinds(found(one)) == {"term"}


@pytest.mark.parametrize("operator", [o for o in FilterOperator if o.name not in ("EQ", "IN")])
def test_an_operator_that_cannot_be_kept_to_is_refused(
    index: Index, operator: FilterOperator
) -> None:
    with pytest.raises(ValueError, match=r"'kind' .* cannot be kept to; a filter says == or 'in'"):
        MedragRetriever(index, filters=MetadataFilters(filters=[wants("kind", "term", operator)]))


@pytest.mark.parametrize(
    ("filters", "problem"),
    [
        (MetadataFilters(filters=[wants("page", 7)]), "a filter on 'page' cannot be kept to"),
        (MetadataFilters(filters=[wants("kind", "reports")]), "'reports' is no kind of passage"),
        (MetadataFilters(filters=[wants("domain", 3)]), "holds 3, not a text"),
        (MetadataFilters(filters=[wants("kind", "term", FilterOperator.IN)]), "not a list of"),
        (
            MetadataFilters(
                filters=[wants("kind", "term"), wants("kind", "fact")], condition=FilterCondition.OR
            ),
            "joined by 'or' cannot be kept to",
        ),
        (
            MetadataFilters(filters=[wants("kind", "term")], condition=FilterCondition.NOT),
            "joined by 'not' cannot be kept to",
        ),
        ({"kind": "term"}, "must be MetadataFilters, got dict"),
    ],
)
def test_a_filter_that_cannot_be_kept_to_is_refused(
    index: Index, filters: Any, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        MedragRetriever(index, filters=filters)


def test_a_pipeline_keeps_its_own_selection_and_k_cuts_it(index: Index) -> None:
    pipeline = load_pipeline("sample", index=index)
    selected = pipeline.select_all(pipeline.prepared([]))
    assert selected == []
    whole = MedragRetriever(pipeline).retrieve(SIGNS)
    assert len(whole) == 10
    cut = MedragRetriever(pipeline, k=3).retrieve(SIGNS)
    assert [each.node_id for each in cut] == [each.node_id for each in whole[:3]]
    assert len(MedragRetriever(index, k=25).retrieve(SIGNS)) == 25


def test_nothing_asked_finds_nothing_and_a_lost_picture_is_an_error(index: Index) -> None:
    assert MedragRetriever(index).retrieve(QueryBundle("  ")) == []
    with pytest.raises(MedragError, match=r"nowhere\.png"):
        MedragRetriever(index).retrieve(QueryBundle("", image_path="/nowhere.png"))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"k": 0}, "k must be at least 1"),
        ({"max_pixels": 0}, "max_pixels must be at least 1"),
        ({"shown": ["reports"]}, "'reports' is no kind"),
    ],
)
def test_a_setting_out_of_range_is_refused(
    index: Index, options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        MedragRetriever(index, **options)


def test_a_source_that_is_none_is_refused(index: Index) -> None:
    with pytest.raises(TypeError, match="needs a Pipeline or an Index of medrag, got str"):
        MedragRetriever("sample")
    with pytest.raises(TypeError, match="similarity_top_k"):
        MedragRetriever(index, similarity_top_k=3)
