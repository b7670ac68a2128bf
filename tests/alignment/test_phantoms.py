"""Phantoms: worlds that are the same each time, whose library has to be read, and their reader."""

import json
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from corpora.phantoms.making import lessons, words
from corpora.phantoms.making.files import write_world
from corpora.phantoms.making.pictures import GRID, PATCH, drawn, places_of
from corpora.phantoms.making.reader import new_processor, new_reader, save_reader
from corpora.phantoms.making.teaching import Packed, masks_of, normalised, pack
from corpora.phantoms.making.worlds import Asked, World, count_word, make_world
from medrag.alignment.pairs import PreferencePair
from medrag.config import build_index, load_pipeline
from medrag.evaluation.benchmarks import load_benchmark
from medrag.generation.local import LocalGenerator
from medrag.generation.local.inputs import encode
from medrag.generation.local.loading import load
from medrag.prompting.fitting import fit, limits_of
from medrag.records import Passage
from tests.benchmarks.phantoms_steps import Gate, passed, weighed

PHANTOMS = Path(__file__).parents[2] / "corpora" / "phantoms"
IMAGE = "<image> " * GRID * GRID


def a_world(**changes: object) -> World:
    asked: dict[str, object] = {"seed": 0, "split": "test", "patients": 12, "misleading": 0.5}
    return make_world(**{**asked, **changes})  # type: ignore[arg-type]


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_and_split_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_world(a_world(), tmp_path / name)

    assert files_of(tmp_path / "one") == files_of(tmp_path / "other")


def test_a_file_of_another_world_does_not_stay_in_the_folder(tmp_path: Path) -> None:
    write_world(a_world(patients=12), tmp_path / "world")
    write_world(a_world(patients=3), tmp_path / "world")
    write_world(a_world(patients=3), tmp_path / "fresh")

    assert files_of(tmp_path / "world") == files_of(tmp_path / "fresh")


@pytest.mark.parametrize("change", [{"split": "train"}, {"seed": 1}])
def test_what_signs_mean_is_drawn_anew_for_each_world(change: dict[str, object]) -> None:
    # Two of 720 ways to deal six diseases to six signs; these seeds do not meet in one.
    assert a_world().meanings != a_world(**change).meanings


@given(seed=st.integers(0, 10**6))
def test_each_sign_means_a_disease_of_its_own_and_stands_on_one_page(seed: int) -> None:
    world = a_world(seed=seed, patients=1)

    assert sorted(world.meanings) == sorted(words.SIGNS)
    assert len(set(world.meanings.values())) == len(words.SIGNS)
    assert sorted(sign for page in world.pages for sign in page) == sorted(words.SIGNS)


@given(seed=st.integers(0, 10**6), share=st.sampled_from([0.0, 0.25, 0.5, 1.0]))
def test_so_many_reports_contradict_the_picture_as_were_asked_for(seed: int, share: float) -> None:
    world = a_world(seed=seed, misleading=share)
    pairs = zip(world.patients, world.likes, strict=True)
    wrong = [one.sign != like.sign and one.count != like.count for one, like in pairs]

    assert sum(wrong) == round(12 * share)


@given(seed=st.integers(0, 10**6))
def test_an_answer_is_what_the_picture_and_the_library_say(seed: int) -> None:
    world = a_world(seed=seed)

    assert all(asked.answer == slowly_answered(world, asked) for asked in world.questions)


def slowly_answered(world: World, asked: Asked) -> str:
    sign, word = asked.phantom.sign, asked.text.rstrip("?").split()[-1]
    if asked.text == words.WHICH_BOTH:
        return words.both_of(sign, world.meanings[sign])
    if asked.text == words.WHICH_SIGN:
        return sign
    if asked.text == words.HOW_MANY:
        return count_word(asked.phantom)
    if asked.need == "library":
        return world.meanings.get(word) or world.remedies[word]
    so = asked.text == words.is_shown(sign)
    if asked.need == "neither":
        so = asked.text in [words.is_sign(each) for each in words.SIGNS]
    return "yes" if so else "no"


@given(seed=st.integers(0, 10**6))
def test_a_question_is_misled_where_the_report_speaks_for_another_answer(seed: int) -> None:
    world = a_world(seed=seed)
    likes = {one.name: like for one, like in zip(world.patients, world.likes, strict=True)}
    for asked in world.questions:
        other = Asked(asked.id, asked.need, asked.text, "", likes[asked.phantom.name])

        assert asked.misled == (slowly_answered(world, other) != asked.answer)


def test_every_need_is_asked_for() -> None:
    assert {asked.need for asked in a_world().questions} == {"image", "library", "both", "neither"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"patients": 0}, "patients must be at least 1, got 0"),
        ({"misleading": 1.5}, "misleading must be in"),
    ],
)
def test_a_world_without_patients_or_with_an_odd_share_is_refused(
    change: dict[str, object], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        a_world(**change)


@given(
    sign=st.sampled_from(words.SIGNS),
    places=st.sets(st.integers(0, GRID * GRID - 1), min_size=1, max_size=3),
)
def test_a_sign_changes_its_own_patches_alone(sign: str, places: set[int]) -> None:
    # Of the same tint and seed, two pictures differ where only one of them has the sign.
    given, other = sorted(places), (set(range(GRID * GRID)) - places).pop()
    shown = drawn(sign, tuple(given), tint=3, seed=4) != drawn(sign, (other,), tint=3, seed=4)
    patches = shown.reshape(GRID, PATCH, GRID, PATCH, 3).any(axis=(1, 3, 4)).ravel()

    assert np.flatnonzero(patches).tolist() == sorted([*given, other])


@given(st.integers(1, 3), st.integers(0, 10**6))
def test_places_are_different_and_in_order(count: int, seed: int) -> None:
    places = places_of(count, random.Random(seed))

    assert list(places) == sorted(set(places))
    assert len(places) == count


def test_medrag_reads_the_questions_of_a_world(tmp_path: Path) -> None:
    world = a_world()
    write_world(world, tmp_path)
    benchmark = load_benchmark(PHANTOMS / "benchmark.yaml", tmp_path)

    assert benchmark.problems == ()
    assert [item.references for item in benchmark.items] == [(q.answer,) for q in world.questions]
    assert [(item.fields["type"], item.fields["misled"]) for item in benchmark.items] == [
        (asked.need, asked.misled) for asked in world.questions
    ]


@given(st.integers(0, 10**6))
def test_no_report_of_a_lesson_contradicts_what_is_answered_of_the_picture(seed: int) -> None:
    one = lessons.lesson(random.Random(seed))
    answers = dict(one.asked)
    sign, count = (answers[lessons.ending(q)] for q in (words.WHICH_SIGN, words.HOW_MANY))
    if "FINDINGS" not in one.beginning:
        return
    told = one.beginning.partition("FINDINGS: ")[2].partition(" >>>")[0]

    assert told == words.report_text(sign, count)


@given(st.integers(0, 10**6))
def test_a_lesson_asks_of_the_library_only_what_its_evidence_says(seed: int) -> None:
    one = lessons.lesson(random.Random(seed))
    for question, answer in one.asked:
        sign = question.removeprefix("What is meant by ").partition("?")[0]
        if sign in words.SIGNS and question.startswith("What"):
            assert f"{sign} means {answer}." in one.beginning


def lines(path: Path) -> Sequence[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_answer_to_a_sign_stands_in_the_page_that_the_question_names(tmp_path: Path) -> None:
    world = a_world(patients=30)
    write_world(world, tmp_path)
    pages = {page["doc_id"]: page["text"] for page in lines(tmp_path / "library" / "pages.jsonl")}
    asked = [each for each in world.questions if each.need == "both"]

    assert all(
        f"{q.phantom.sign} means {q.answer.split()[1]}." in str(pages[q.gold]) for q in asked
    )


# --- the reader


@pytest.fixture(scope="module")
def reader() -> tuple[Any, Any]:
    return new_reader(seed=0, width=32, layers=2)


def test_each_word_of_the_phantoms_is_one_token_of_the_reader(reader: tuple[Any, Any]) -> None:
    tokenizer = reader[1].tokenizer
    said = [*words.SIGNS, *words.DISEASES, *words.REMEDIES, *words.COUNTS, "yes", "no"]

    assert [tokenizer.decode(tokenizer(word)["input_ids"]) for word in said] == said


@given(st.integers(0, 10**6))
def test_no_word_of_a_lesson_is_unknown_to_the_reader(seed: int) -> None:
    tokenizer = new_processor().tokenizer
    one = lessons.lesson(random.Random(seed))
    said = " ".join([one.beginning, *(f"{asked} {answer}" for asked, answer in one.asked)])

    assert tokenizer.unk_token_id not in tokenizer(said)["input_ids"]


def test_a_question_among_others_is_read_as_it_would_be_alone(reader: tuple[Any, Any]) -> None:
    model, processor = reader
    one = lessons.lesson(random.Random(5))
    packed = pack([one], processor.tokenizer)
    together = states_of(model, processor, packed, masks=masks_of(packed))
    for number in range(1, len(one.asked) + 1):
        kept = np.isin(packed.question[0], [0, number])
        alone = part_of(packed, kept)

        # Sums in float32 run in another order: a few parts in a million.
        np.testing.assert_allclose(
            together[kept][-3:], states_of(model, processor, alone, masks=None)[-3:], atol=1e-4
        )


def part_of(packed: Packed, kept: NDArray[np.bool_]) -> Packed:
    return Packed(
        packed.ids[:, kept], packed.positions[:, kept], packed.question[:, kept],
        packed.replies[:, kept], packed.pixels,
    )  # fmt: skip


def states_of(model: Any, processor: Any, packed: Packed, masks: Any) -> Any:
    import torch

    with torch.no_grad():
        return (
            model.model(
                input_ids=torch.from_numpy(packed.ids),
                position_ids=torch.from_numpy(packed.positions),
                attention_mask=masks,
                pixel_values=normalised(packed.pixels, processor),
                use_cache=False,
            )
            .last_hidden_state[0]
            .numpy()
        )


@pytest.mark.slow
def test_lessons_have_the_words_of_the_prompts_of_a_pipeline(tmp_path: Path) -> None:
    write_world(a_world(patients=4), tmp_path)
    save_reader(tmp_path / "reader", seed=0, width=32, layers=2)
    index = build_index(tmp_path / "index", sources=[tmp_path / "card.yaml"])
    pipeline = load_pipeline(PHANTOMS / "pipeline.yaml", index=index)
    limits = LocalGenerator(model=str(tmp_path / "reader"), dtype="float32", max_tokens=4)
    loaded = load(model=str(tmp_path / "reader"), dtype="float32")
    asked = [item.question for item in load_benchmark(PHANTOMS / "benchmark.yaml", tmp_path).items]
    template = str(PHANTOMS / "template.yaml")
    for selected in pipeline.select(pipeline.prepared(asked)):
        question, selection = selected.question, selected.selection
        prompt = fit(question, selection, template=template, generator=limits_of(limits)).prompt
        kept = [hit.passage for hit in selection.kept]
        told = [told_in_a_lesson(passage, n) for n, passage in enumerate(kept, start=1)]
        others = any(passage.kind == "report" for passage in kept)
        beginning = lessons.prompt_beginning(told, others=others)
        said = f"{beginning} {lessons.ending(question.text)}".replace("<image>", IMAGE)

        assert encode(loaded, prompt).ids.tolist() == loaded.tokenizer(said)["input_ids"]


def told_in_a_lesson(passage: Passage, number: int) -> str:
    marker, said = f"[{number}]", passage.text.rstrip(".").split()
    if passage.kind == "report":
        return lessons.report(said[-1], said[-2], marker)
    if passage.kind == "fact":
        return lessons.fact(said[0], said[-1], marker)
    pairs = [each.split(" means ") for each in passage.text.rstrip(".").split(". ")[1:]]
    return lessons.page([(sign, disease) for sign, disease in pairs], marker)


# --- the experiment


@pytest.mark.parametrize(
    ("measured", "told"),
    [
        (Gate(oracle=0.9, bare=1 / 6, misled=0.15), True),
        (Gate(oracle=0.89, bare=1 / 6, misled=0.15), False),
        # It knows without the library what only the library says.
        (Gate(oracle=0.9, bare=0.4, misled=0.15), False),
        # There is nothing to be cured of.
        (Gate(oracle=0.9, bare=1 / 6, misled=0.1), False),
    ],
)
def test_a_reader_is_compared_only_if_it_passes_the_gate(measured: Gate, told: bool) -> None:
    assert passed(measured) == told


def test_to_take_one_sign_for_another_weighs_more_than_to_say_yes_for_no() -> None:
    said = [("ring", "bar"), ("yes", "no"), ("two", "one"), ("ring amaria", "ring cortia")]
    pairs = [
        PreferencePair(id=a, prompt=("?",), chosen=a, rejected=b, family="written")
        for a, b in said
    ]  # fmt: skip
    sign, polar, count, disease = (pair.weight for pair in weighed(pairs))

    assert polar == count < 1 < sign == disease
    assert sign + polar + count + disease == pytest.approx(4)


@pytest.mark.slow
def test_one_seed_of_fifty_steps_goes_through_all_of_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.benchmarks.phantoms", "--folder", str(tmp_path)]
    few = ["--seeds=1", "--patients=10", "--teaching=50", "--steps=50", "--variants", "sft", "dpo"]
    subprocess.run([*command, *few], check=True, cwd=PHANTOMS.parents[1])
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))

    assert [each["name"] for each in results["comparison"]["variants"]] == ["base", "sft", "dpo"]
    assert "No evidence about medicine" in (tmp_path / "report.html").read_text(encoding="utf-8")
