from pathlib import Path
from typing import Any

import pytest

from medrag.alignment.corruption import corrupted
from medrag.alignment.noise import Noise
from medrag.alignment.pairs import check_pair, read_pairs, write_pairs
from medrag.alignment.sampling import noised_pairs
from medrag.images import read_image
from medrag.records import ImageRef, Item, Question, QuestionRegion
from tests.alignment.sampling.asked import item, picture

LESION = Noise("lesion_mask", step=800, box=(2, 2, 6, 6))


def made(items: Any, noise: Any, family: Any = "lesion", **given: Any) -> Any:
    return noised_pairs(items, noise, family=family, benchmark="b", **given)


def test_both_sides_say_the_right_answer_and_only_the_picture_differs(tmp_path: Path) -> None:
    [pair] = made([item("1", "What?", "a node", image=picture(tmp_path))], LESION).pairs
    assert pair.chosen == pair.rejected == "a node"
    assert pair.rejected_prompt is None
    assert (pair.noise, pair.noised) == (LESION, (0,))
    assert (pair.id, pair.family, pair.weight) == ("b/1/lesion", "lesion", 1.0)
    check_pair(pair)


def test_the_noise_of_a_pair_can_be_done_to_its_picture(tmp_path: Path) -> None:
    [pair] = made([item("1", "What?", "a node", image=picture(tmp_path))], LESION).pairs
    [shown] = [part for part in pair.prompt if isinstance(part, ImageRef)]
    pixels = read_image(shown)
    changed = (corrupted(pixels, pair.noise) != pixels).any(axis=2)
    assert changed.any()
    changed[2:6, 2:6] = False
    assert not changed.any()


def test_pairs_can_be_written_and_read(tmp_path: Path) -> None:
    pairs = made([item("1", "What?", "a node", image=picture(tmp_path))], LESION).pairs
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    assert tuple(read_pairs(tmp_path / "pairs.jsonl")) == pairs


def test_every_picture_of_a_question_is_noised_but_for_lesions(tmp_path: Path) -> None:
    two = (picture(tmp_path, "a"), picture(tmp_path, "b", 40))
    asked = Item("1", Question("What?", images=two, id="1"), ("a node",))
    [pair] = made([asked], Noise("diffusion", step=500), "global_noise").pairs
    assert pair.noised == (0, 1)
    assert made([asked], LESION).left_out == {
        "the question shows several pictures, and a lesion lies in one": 1
    }
    assert made([asked], LESION, "conditional").pairs == ()


def test_a_part_of_a_picture_has_no_lesion_in_pixels_of_the_whole(tmp_path: Path) -> None:
    part = ImageRef(picture(tmp_path), box=(0, 0, 6, 6))
    asked = Item("1", Question("What?", images=(part,), id="1"), ("a node",))
    assert "a part of a picture" in next(iter(made([asked], LESION).left_out))
    assert len(made([asked], Noise("blank"), "conditional").pairs) == 1


def test_a_picture_with_a_region_outlined_is_still_the_whole_picture(tmp_path: Path) -> None:
    region = QuestionRegion(box=(1, 1, 5, 5))
    asked = item("1", "What?", "a node", image=picture(tmp_path), regions=(region,))
    [pair] = made([asked], Noise("blank"), "global_noise").pairs
    n = sum(isinstance(part, ImageRef) for part in pair.prompt)
    assert pair.noised == tuple(range(n))


def test_a_surer_lesion_weighs_more(tmp_path: Path) -> None:
    items = [item(str(n), "What?", "a node", image=picture(tmp_path)) for n in range(4)]
    found = made(items, LESION, confidences={"0": 0.2, "1": 0.5, "2": 0.8}).pairs
    # z = -1.22, 0, 1.22: cut at both ends; without a confidence 1.
    assert [pair.weight for pair in found] == [0.75, pytest.approx(1.0), 1.25, 1.0]


def test_each_item_may_have_a_noise_of_its_own_and_one_without_is_left_out(
    tmp_path: Path,
) -> None:
    items = [item(str(n), "What?", "a node", image=picture(tmp_path)) for n in range(2)]
    found = made(items, {"1": LESION})
    assert [pair.id for pair in found.pairs] == ["b/1/lesion"]
    assert found.left_out == {"no noise is given": 1}


def test_noise_and_confidence_are_found_though_an_id_names_a_patient(tmp_path: Path) -> None:
    items = [item(f"anna/{n}", "What?", "a node", image=picture(tmp_path), subject="anna")
             for n in range(2)]  # fmt: skip
    found = made(items, {each.id: LESION for each in items},
                 confidences={"anna/0": 0.1, "anna/1": 0.9}).pairs  # fmt: skip
    assert [pair.weight for pair in found] == [0.75, 1.25]
    assert not any("anna" in pair.id for pair in found)


def test_an_item_without_a_picture_or_a_reference_is_left_out(tmp_path: Path) -> None:
    items = [item("1", "What?", "a node"), item("2", "What?", image=picture(tmp_path))]
    assert made(items, LESION).left_out == {
        "the question has no picture": 1,
        "the item has no reference": 1,
    }


@pytest.mark.parametrize(
    ("family", "noise", "problem"),
    [
        ("lesion", Noise("blank"), "family lesion takes lesion_mask; got blank"),
        ("global_noise", LESION, "family global_noise takes add_gaussian"),
        ("global_noise", Noise("swap_unrelated", other="a"), "got swap_unrelated"),
        ("lesion", Noise("lesion_mask", step=3), "noise of item '1': lesion_mask needs either"),
        ("sampled", LESION, "family must be one of lesion, global_noise, conditional"),
    ],
)
def test_a_noise_that_is_none_of_the_familys_is_refused(
    family: str, noise: Noise, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        made([item("1", "What?", "a node")], noise, family)


def test_a_conditional_pair_takes_another_picture_as_well(tmp_path: Path) -> None:
    other = Noise("swap_unrelated", other=picture(tmp_path, "other", 10))
    [pair] = made(
        [item("1", "What?", "a node", image=picture(tmp_path))], other, "conditional"
    ).pairs
    assert (pair.family, pair.noise) == ("conditional", other)
