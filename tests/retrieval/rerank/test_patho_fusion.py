import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from medrag.records import Filter, Hit, Question
from medrag.retrieval.rerank.fusion_formula import kurtoses, patho_fusion
from medrag.retrieval.rerank.patho_fusion import PathoFusionReranker
from tests.retrieval.shelf import Listed, Shelf, Vectors, ids, passage

Rows = NDArray[np.float64]


def matrices(columns: int) -> st.SearchStrategy[Rows]:
    return arrays.arrays(
        np.float64,
        st.tuples(st.integers(1, 4), st.just(columns)),
        elements=st.floats(-1, 1, width=32) | st.sampled_from([0.0, 0.5, 1e-30, 1e6]),
    )


PAIRS = st.integers(1, 6).flatmap(lambda m: st.tuples(matrices(m), matrices(m)))


def slow_kurtosis(row: list[float], kind: str) -> float:
    """The definition, number by number; 0 for a constant row."""
    mean = math.fsum(row) / len(row)
    if max(abs(x - mean) for x in row) <= 1e-9 * max(abs(x) for x in row):
        return 0.0
    variance = math.fsum((x - mean) ** 2 for x in row) / len(row)
    fourth = math.fsum((x - mean) ** 4 for x in row) / len(row)
    return fourth / variance**2 - (3 if kind == "fisher" else 0)


def slow_std(values: list[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((x - mean) ** 2 for x in values) / len(values))


def slow(text: Rows, picture: Rows | None, squared: str, kind: str) -> float:
    rows = text.tolist()
    of_text = [slow_kurtosis(row, kind) for row in rows]
    if squared == "kappa":
        peaked = math.fsum(k**2 for k in of_text) / len(rows)
    else:
        peaked = (math.fsum(of_text) / len(rows)) ** 2
    of_picture = 1.0
    if picture is not None:
        of_picture = math.fsum(slow_kurtosis(row, kind) for row in picture.tolist()) / len(picture)
    best = math.fsum(max(row) for row in rows) / len(rows)
    return slow_std([slow_std(row) for row in rows]) * peaked * of_picture + best


@pytest.mark.parametrize("squared", ["kappa", "mean"])
@pytest.mark.parametrize("kind", ["pearson", "fisher"])
def test_the_formula_is_that_of_the_plain_loops(squared: Any, kind: Any) -> None:
    rng = np.random.default_rng(0)
    for n_tokens, n_patches, n_page in ((1, 1, 2), (5, 3, 7), (20, 64, 200)):
        text = rng.uniform(-1, 1, (n_tokens, n_page))
        picture = rng.uniform(-1, 1, (n_patches, n_page))
        for pictured in (picture, None):
            found = patho_fusion(text, pictured, squared=squared, kurtosis=kind)
            assert found == pytest.approx(slow(text, pictured, squared, kind), rel=1e-9)


def test_the_two_readings_differ_by_hand() -> None:
    # Kurtosis of (1, 0, 0, 0): variance 3/16, fourth moment 21/256: 7/3. Of (1, 0, 1, 0): 1.
    # Stds: sqrt(3)/4 and 1/2, of which half the distance is the std; best matches 1 and 1.
    text = np.array([[1.0, 0, 0, 0], [1.0, 0, 1.0, 0]])
    outer = (1 / 2 - math.sqrt(3) / 4) / 2
    assert patho_fusion(text, None) == pytest.approx(outer * ((49 / 9 + 1) / 2) + 1)
    assert patho_fusion(text, None, squared="mean") == pytest.approx(outer * (5 / 3) ** 2 + 1)
    # Less 3 each: -2/3 and -2.
    assert patho_fusion(text, None, kurtosis="fisher") == pytest.approx(outer * (4 / 9 + 4) / 2 + 1)
    # A picture multiplies the first half by its mean kurtosis, 7/3 here.
    assert patho_fusion(text, text[:1]) == pytest.approx(outer * (49 / 9 + 1) / 2 * 7 / 3 + 1)


def test_a_constant_row_has_a_kurtosis_of_zero() -> None:
    rows = np.array([[0.3, 0.3, 0.3], [0.0, 0.0, 0.0], [0.1 + 0.2, 0.3, 0.3], [1.0, 0.0, 0.0]])
    assert kurtoses(rows, "pearson").tolist() == [0, 0, 0, pytest.approx(1.5)]
    assert kurtoses(rows, "fisher").tolist() == [0, 0, 0, pytest.approx(-1.5)]
    assert patho_fusion(rows[:2], None) == pytest.approx(0.15)


@given(PAIRS, st.sampled_from(["kappa", "mean"]), st.sampled_from(["pearson", "fisher"]))
def test_a_score_is_finite_whatever_the_similarities(
    pair: tuple[Rows, Rows], squared: Any, kind: Any
) -> None:
    found = patho_fusion(*pair, squared=squared, kurtosis=kind)
    assert math.isfinite(found)


@given(matrices(5))
def test_pearsons_kurtosis_lies_between_one_and_the_number_of_values(rows: Rows) -> None:
    found = kurtoses(rows, "pearson")
    assert np.all((found == 0) | ((found >= 1 - 1e-9) & (found <= 5 + 1e-9)))
    np.testing.assert_allclose(kurtoses(rows, "fisher")[found > 0], found[found > 0] - 3)


def test_scipy_agrees() -> None:
    stats = pytest.importorskip("scipy.stats")
    rows = np.random.default_rng(1).normal(size=(6, 40))
    for kind in ("pearson", "fisher"):
        expected = stats.kurtosis(rows, axis=1, fisher=kind == "fisher")
        np.testing.assert_allclose(kurtoses(rows, kind), expected, rtol=1e-9)  # type: ignore[arg-type]


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(ValueError, match=r"text must be \(n, m\)"):
        patho_fusion(np.zeros((0, 3)), None)
    with pytest.raises(ValueError, match=r"picture must be \(n, m\)"):
        patho_fusion(np.zeros((1, 3)), np.zeros(3))
    with pytest.raises(ValueError, match="squared must be"):
        patho_fusion(np.zeros((1, 3)), None, squared="both")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="kurtosis must be"):
        PathoFusionReranker(library=Shelf(), channel=Vectors(), kurtosis="mean")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="asked by its image"):
        PathoFusionReranker(library=Shelf(), channel=Vectors(side="image"))


SHELF = Shelf(*(passage(f"p{n}", kind="page", page=n + 1, image=str(n)) for n in range(3)))
TOKENS = Vectors([[1, 0], [0, 1], [0.6, 0.8]], [[0.6, 0.8], [0.8, 0.6]], [], late_interaction=True)


def listed(text: str = "0 1 2") -> list[Hit]:
    return Listed(SHELF, part="page").retrieve([Question(text)], 9, [Filter()])[0]


@pytest.mark.parametrize("picture", [None, "1,0;0.6,0.8"])
def test_hits_stand_by_the_formula_and_those_without_vectors_last(picture: str | None) -> None:
    question = Question("1,0;0,1", images=() if picture is None else (f"{picture}.png",))
    [found] = PathoFusionReranker(library=SHELF, channel=TOKENS).rerank([question], [listed()])
    asked = np.array([[1.0, 0], [0, 1]])
    patches = None if picture is None else np.array([[1.0, 0], [0.6, 0.8]])
    expected = {
        f"p{n}": slow(
            asked @ TOKENS.vectors[n].T.astype(float),
            None if patches is None else patches @ TOKENS.vectors[n].T.astype(float),
            "kappa",
            "pearson",
        )
        for n in (0, 1)
    }
    assert {hit.passage.id: hit.score for hit in found[:2]} == pytest.approx(expected, abs=1e-6)
    assert found[0].score > found[1].score
    assert found[2].passage.id == "p2"
    assert "patho_fusion" in found[0].parts
    assert "patho_fusion" not in found[2].parts


def test_a_picture_is_left_out_on_request_and_alone_changes_nothing() -> None:
    pictured = Question("1,0;0,1", images=("1,0.png",))
    plain = PathoFusionReranker(library=SHELF, channel=TOKENS)
    without = PathoFusionReranker(library=SHELF, channel=TOKENS, by_picture=False)
    bare = Question("1,0;0,1")
    assert without.rerank([pictured], [listed()]) == plain.rerank([bare], [listed()])
    assert plain.rerank([Question(images=("1,0.png",))], [listed()]) == [listed()]


def test_an_encoder_of_single_vectors_reads_the_picture_as_a_question(tmp_path: Path) -> None:
    channel = Vectors([[1, 0], [0, 1]], [[0.6, 0.8]], [], late_interaction=False)
    question = Question("1,0", images=("0,1.png",))
    [found] = PathoFusionReranker(library=SHELF, channel=channel).rerank([question], [listed("0")])
    # One token: no spread over tokens, so that only its best match is left.
    assert (ids(found), found[0].score) == (["p0"], 1.0)


def test_pages_of_a_real_index_are_reranked_end_to_end(tmp_path: Path) -> None:
    import pymupdf

    from medrag.config import build_index, load_pipeline
    from tests.encoding.tiny_pages import save_colqwen2
    from tests.encoding.tiny_pictures import saved

    checkpoint = save_colqwen2(tmp_path / "colqwen2")
    with pymupdf.open() as book:
        for text in ("The heart pumps blood.", "The lung moves air.", "Skin and bone."):
            book.new_page(width=200, height=160).insert_text((20, 40), text)
        book.save(tmp_path / "book.pdf")
    recipe = tmp_path / "index.yaml"
    index = build_index(
        tmp_path / "index",
        sources=[tmp_path / "book.pdf"],
        channels=["lexical", f"page={checkpoint}"],
    )
    recipe.write_text(
        "retrieve:\n"
        "  kind: rerank\n"
        "  retriever: {kind: channels, channels: [page]}\n"
        "  rerankers: [{kind: patho_fusion, channel: page}]\n"
        "  keep: 2\n"
        "answer: {kind: one_pass, generator: {kind: extractive}}\n"
    )
    retriever = load_pipeline(recipe, index=index).retriever
    picture = str(saved(tmp_path / "smear.png", 3))
    questions = [Question("the heart"), Question("what is air", images=(picture,))]
    rankings = retriever.retrieve(questions, 3, [Filter()] * 2)
    channel: Any = index.channels["page"]
    rows = {each.id: n for n, each in enumerate(index.passages)}
    for question, hits in zip(questions, rankings, strict=True):
        assert len(hits) == 2
        asked = channel.encoder.encode_questions([question], "text").values.astype(float)
        for hit in hits:
            page = channel.vectors_at([rows[hit.passage.id]]).values.astype(float)
            if not question.images:
                expected = slow(asked @ page.T, None, "kappa", "pearson")
                assert hit.score == pytest.approx(expected, abs=1e-5)
            assert hit.passage.kind == "page"
            assert math.isfinite(hit.parts["patho_fusion"].score)
    [text_only] = retriever.retrieve([Question("what is air")], 3, [Filter()])
    assert text_only[0].score != rankings[1][0].score
