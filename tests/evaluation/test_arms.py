"""What retrieval and reader see in each arm."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medrag.config import Index
from medrag.errors import EvaluationError
from medrag.evaluation.arms import ARMS, Arms, Asked, Corruption, StandIns, sensible_arms
from medrag.evaluation.benchmarks import Benchmark
from medrag.evaluation.retrieval import document_of
from medrag.images import read_image
from medrag.pipeline import Pipeline, Selected
from medrag.records import ImageRef, Item
from tests.evaluation.library import loaded, pipeline_on


@pytest.fixture
def pipeline(small_index: Index) -> Pipeline:
    return pipeline_on(small_index)


@pytest.fixture
def benchmark(small_questions: Path) -> Benchmark:
    return loaded(small_questions)


def asked(pipeline: Pipeline, items: tuple[Item, ...]) -> list[Asked]:
    selected = pipeline.select_all([item.question for item in items])
    return [Asked(item, each) for item, each in zip(items, selected, strict=True)]


def arms(pipeline: Pipeline, items: tuple[Item, ...], folder: Path, *, seed: int = 0) -> Arms:
    names = [name for name in ARMS if items[0].question.images or "image" not in name]
    if not items[0].question.images:
        names = [name for name in names if name not in ("text_only", "no_guard")]
    return Arms(pipeline=pipeline, items=items, names=names, seed=seed, pictures=folder)


def documents(selected: Selected) -> list[str]:
    return [document_of(hit.passage) for hit in selected.selection.kept]


def test_context_is_what_the_pipeline_selects(
    pipeline: Pipeline, benchmark: Benchmark, tmp_path: Path
) -> None:
    given = asked(pipeline, benchmark.items)
    made = arms(pipeline, benchmark.items, tmp_path)
    assert made.selected("context", given) == [each.selected for each in given]


def test_without_context_the_reader_sees_no_evidence(
    pipeline: Pipeline, benchmark: Benchmark, tmp_path: Path
) -> None:
    made = arms(pipeline, benchmark.items, tmp_path)
    found = made.selected("no_context", asked(pipeline, benchmark.items))
    assert all(each.selection.kept == () for each in found)
    assert all(answer.abstained for answer in pipeline.answer_selected(found))


def test_random_context_is_as_much_as_was_kept_and_depends_on_seed_and_item_alone(
    pipeline: Pipeline, benchmark: Benchmark, tmp_path: Path
) -> None:
    given = asked(pipeline, benchmark.items)
    first = arms(pipeline, benchmark.items, tmp_path).selected("random_context", given)
    again = arms(pipeline, benchmark.items, tmp_path).selected("random_context", given[::-1])
    other = arms(pipeline, benchmark.items, tmp_path, seed=1).selected("random_context", given)
    assert [documents(each) for each in first] == [documents(each) for each in again[::-1]]
    assert [documents(each) for each in first] != [documents(each) for each in other]
    kept = [len(each.selected.selection.kept) for each in given]
    assert [len(each.selection.kept) for each in first] == kept
    assert all(len(set(documents(each))) == len(documents(each)) for each in first)


def test_the_oracle_reads_the_documents_that_hold_the_answer(
    pipeline: Pipeline, benchmark: Benchmark, tmp_path: Path
) -> None:
    made = arms(pipeline, benchmark.items, tmp_path)
    found = made.selected("oracle_context", asked(pipeline, benchmark.items))
    assert [documents(each) for each in found] == [[item.id] for item in benchmark.items]


def test_the_oracle_reads_a_document_that_retrieval_does_not_find(
    pipeline: Pipeline, benchmark: Benchmark, tmp_path: Path
) -> None:
    strange = replace(benchmark.items[0].question, text="xyzzy", options=())
    items = (replace(benchmark.items[0], question=strange),)
    found = arms(pipeline, items, tmp_path).selected("oracle_context", asked(pipeline, items))
    assert documents(found[0]) == ["lung"]


def test_without_gold_the_oracle_asks_with_the_right_answer_and_answers_the_question(
    pipeline: Pipeline, benchmark: Benchmark, tmp_path: Path
) -> None:
    vague = replace(benchmark.items[2].question, text="Which disease is it?", options=())
    items = (replace(benchmark.items[2], question=vague, gold_passages=()),)
    given = asked(pipeline, items)
    made = arms(pipeline, items, tmp_path)
    found = made.selected("oracle_context", given)
    assert documents(found[0])[0] == "joint"
    assert found[0].question == given[0].selected.question
    assert made.notes["oracle_context"].startswith("1 of 1 items name no passage")


def test_where_the_index_lacks_all_gold_the_oracle_asks_with_the_answer_and_says_so(
    pipeline: Pipeline, benchmark: Benchmark, tmp_path: Path
) -> None:
    items = (replace(benchmark.items[2], gold_passages=("spleen",)),)
    made = arms(pipeline, items, tmp_path)
    assert documents(made.selected("oracle_context", asked(pipeline, items))[0])[0] == "joint"
    assert "evidence was found by asking with the right answer" in made.notes["oracle_context"]


def test_gold_that_the_guard_keeps_out_is_not_read(
    pipeline: Pipeline, benchmark: Benchmark, tmp_path: Path
) -> None:
    items = benchmark.items[:1]
    (given,) = asked(pipeline, items)
    made = arms(pipeline, items, tmp_path)
    (gold,) = made._gold["lung"]
    hidden = replace(gold, id="hidden", source=replace(gold.source, study="of the patient"))
    made._gold = {"lung": [gold, hidden]}

    def read() -> list[str]:
        (found,) = made.selected("oracle_context", [given])
        return [hit.passage.id for hit in found.selection.kept]

    assert read() == [gold.id, "hidden"]
    pipeline.allow = replace(pipeline.allow, not_studies=frozenset({"of the patient"}))
    assert read() == [gold.id]


@pytest.mark.parametrize("name", ["blank_image", "noise_image"])
def test_a_stand_in_has_the_size_of_the_picture_and_the_evidence_stays(
    pipeline: Pipeline, pictured_questions: Path, tmp_path: Path, name: str
) -> None:
    items = loaded(pictured_questions).items
    given = asked(pipeline, items)
    found = arms(pipeline, items, tmp_path).selected(name, given)
    for before, after in zip(given, found, strict=True):
        assert after.selection == before.selected.selection
        (image,) = after.question.images
        assert isinstance(image, ImageRef)
        assert read_image(image).shape == (48, 48, 3)
        assert image != before.selected.question.images[0]


def test_a_blank_picture_is_grey_and_a_noisy_one_is_not(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "real.png"
    Image.new("RGB", (60, 40), (200, 0, 0)).save(path)
    stand_ins = StandIns(folder=tmp_path / "made", seed=3)
    real = ImageRef(str(path))
    blank, noise = read_image(stand_ins.blank(real)), read_image(stand_ins.noise(real))
    assert blank.shape == noise.shape == (40, 60, 3)
    assert np.all(blank == 128)
    # 7,200 draws of mean 128 and deviation 64, of which a few per cent are cut at the ends: the
    # standard error of the mean is 0.75.
    assert abs(float(noise.mean()) - 127.5) < 3
    assert 55 < float(noise.std()) < 64
    assert stand_ins.noise(real) == StandIns(folder=tmp_path / "made", seed=3).noise(real)


def test_a_noisy_picture_without_context_is_that_of_the_arm_with_context(
    pipeline: Pipeline, pictured_questions: Path, tmp_path: Path
) -> None:
    items = loaded(pictured_questions).items
    given = asked(pipeline, items)
    made = arms(pipeline, items, tmp_path)
    with_context = made.selected("noise_image", given)
    without = made.selected("noise_image_no_context", given)
    assert [each.question for each in without] == [each.question for each in with_context]
    assert all(each.selection.kept == () for each in without)
    assert all(each.selection.kept for each in with_context)


def test_a_corruption_makes_the_noisy_picture_of_each_picture(
    pipeline: Pipeline, pictured_questions: Path, tmp_path: Path
) -> None:
    items = loaded(pictured_questions).items
    given = asked(pipeline, items)
    upside_down = Corruption({"kind": "flip"}, lambda pixels: pixels[::-1])
    made = Arms(
        pipeline=pipeline, items=items, names=["noise_image"], seed=0, pictures=tmp_path,
        corruption=upside_down,
    )  # fmt: skip
    found = made.selected("noise_image", given)
    for before, after in zip(given, found, strict=True):
        real, shown = before.selected.question.images[0], after.question.images[0]
        assert isinstance(real, ImageRef)
        assert isinstance(shown, ImageRef)
        np.testing.assert_array_equal(read_image(shown), read_image(real)[::-1])
    assert made.notes == {"noise_image": 'the pictures are corrupted: {"kind": "flip"}'}


def test_pictures_of_two_corruptions_do_not_take_each_others_place(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "real.png"
    Image.new("RGB", (6, 4), (200, 0, 0)).save(path)
    shown = [
        read_image(
            StandIns(
                folder=tmp_path / "made",
                seed=0,
                corruption=Corruption({"value": value}, lambda p, value=value: p * 0 + value),
            ).noise(ImageRef(str(path)))
        )
        for value in (1, 2)
    ]
    assert [int(each.max()) for each in shown] == [1, 2]


def test_text_only_takes_the_picture_from_retrieval_and_reader(
    pipeline: Pipeline, pictured_questions: Path, tmp_path: Path
) -> None:
    items = loaded(pictured_questions).items
    found = arms(pipeline, items, tmp_path).selected("text_only", asked(pipeline, items))
    assert all(each.question.images == () for each in found)
    assert all(each.selection.kept for each in found)


def test_arms_of_pictures_need_pictures(
    pipeline: Pipeline, benchmark: Benchmark, tmp_path: Path
) -> None:
    with pytest.raises(EvaluationError, match="'noise_image' takes pictures away"):
        Arms(
            pipeline=pipeline,
            items=benchmark.items,
            names=["noise_image"],
            seed=0,
            pictures=tmp_path,
        )


def test_an_unknown_arm_is_named(pipeline: Pipeline, benchmark: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown arm 'golden'"):
        Arms(pipeline=pipeline, items=benchmark.items, names=["golden"], seed=0, pictures=tmp_path)


def test_without_a_guard_there_is_no_arm_without_it(
    pipeline: Pipeline, pictured_questions: Path, tmp_path: Path
) -> None:
    items = loaded(pictured_questions).items
    # The extractive reader never looks at a picture, so that a blank one changes nothing.
    blind = {"blank_image", "noise_image", "noise_image_no_context"}
    assert sensible_arms(pipeline, items) == tuple(name for name in ARMS if name not in blind)
    pipeline.guard = False
    assert "no_guard" not in sensible_arms(pipeline, items)
    with pytest.raises(EvaluationError, match="guard is off"):
        Arms(pipeline=pipeline, items=items, names=["no_guard"], seed=0, pictures=tmp_path)


def test_questions_without_pictures_have_no_arms_of_pictures(
    pipeline: Pipeline, benchmark: Benchmark
) -> None:
    sensible = ("context", "no_context", "random_context", "oracle_context")
    assert sensible_arms(pipeline, benchmark.items) == sensible
