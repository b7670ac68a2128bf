from collections.abc import Sequence
from dataclasses import replace
from math import isnan, nan

import pytest

from medrag.alignment.noise import Noise
from medrag.alignment.pairs.pair import PreferencePair
from medrag.alignment.weighing import Panel, normalised_pairs, shuffled_pairs, weigh_pairs
from medrag.records import Generation, ImageRef, Prompt

PICTURE = ImageRef("/a.png")


SCORES = {"grave": 9, "mild": 1, "middling": 5}


class Judge:
    """Score by a word of the wrong answer; a word that it does not know cannot be read."""

    name = "judge"

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        texts = [str(prompt.parts[0]).partition("Wrong answer:")[2] for prompt in prompts]
        found = [[n for word, n in SCORES.items() if word in text] for text in texts]
        return [Generation(f"Score: {each[0]}" if each else "hm") for each in found]


def said(name: str, rejected: str) -> PreferencePair:
    return PreferencePair(name, ("Look:", PICTURE, "What is it?"), "nothing", rejected, "sampled")


def shown(name: str) -> PreferencePair:
    noise = Noise("lesion_mask", step=500, box=(0, 0, 1, 1))
    return PreferencePair(name, (PICTURE, "What?"), "a node", "a node", "lesion", noise=noise)


def test_graver_mistakes_weigh_more() -> None:
    pairs = [said("a", "grave"), said("b", "mild"), said("c", "middling")]
    weighed, report = weigh_pairs(pairs, Panel(judges=[Judge()]))
    # Scores 0.9, 0.1, 0.5: z = +-1.2247, 1 +- 0.387, cut.
    assert [pair.weight for pair in weighed] == [1.25, 0.75, pytest.approx(1.0)]
    assert report.scores == (0.9, 0.1, 0.5)
    assert (report.n_judged, report.n_agreed, report.n_clipped) == (3, 3, 2)
    assert (report.mean, report.variance) == (pytest.approx(1.0), pytest.approx(0.125 / 3))
    assert report.mean_rounds == 1.0


def test_nothing_but_the_weight_of_a_pair_changes() -> None:
    [pair] = weigh_pairs([said("a", "grave")], Panel(judges=[Judge()])).pairs
    assert pair == said("a", "grave")


def test_what_cannot_be_scored_weighs_one_and_is_counted() -> None:
    pairs = [said("a", "grave"), said("b", "mild"), said("c", "unknown")]
    weighed, report = weigh_pairs(pairs, Panel(judges=[Judge()]))
    assert weighed[2].weight == 1.0
    assert isnan(report.scores[2])
    assert (report.n_unscored, report.n_unread) == (1, 1)


def test_pairs_of_pictures_weigh_by_the_confidence_of_the_grounder() -> None:
    pairs = [shown("a"), shown("b"), shown("c")]
    weighed, report = weigh_pairs(pairs, confidences={"a": 0.2, "b": 0.8})
    assert [pair.weight for pair in weighed] == [0.75, 1.25, 1.0]
    assert (report.n_judged, report.n_unscored) == (0, 1)
    assert isnan(report.mean_rounds)


def test_panel_and_grounder_are_normalised_apart() -> None:
    # Together, confidences near 1 and scores near 0 would all lie on opposite sides of the mean.
    pairs = [shown("a"), said("b", "mild"), shown("c"), said("d", "middling")]
    weighed, _ = weigh_pairs(pairs, Panel(judges=[Judge()]), confidences={"a": 0.98, "c": 0.99})
    assert [pair.id for pair in weighed] == ["a", "b", "c", "d"]
    assert [pair.weight for pair in weighed] == [0.75, 0.75, 1.25, 1.25]


def test_without_a_panel_pairs_of_answers_weigh_one() -> None:
    weighed, report = weigh_pairs([said("a", "grave"), said("b", "mild")])
    assert [pair.weight for pair in weighed] == [1.0, 1.0]
    assert report.n_unscored == 2


def test_the_mean_can_be_asked_to_be_one_after_the_cut() -> None:
    pairs = [said(str(n), "mild") for n in range(3)] + [said("d", "grave")]
    _, plain = weigh_pairs(pairs, Panel(judges=[Judge()]))
    _, exact = weigh_pairs(pairs, Panel(judges=[Judge()]), exact_mean=True)
    assert plain.mean == pytest.approx(0.92557, abs=1e-5)
    assert exact.mean == pytest.approx(1.0, abs=1e-9)


def test_no_pairs_are_weighed_as_none() -> None:
    pairs, report = weigh_pairs([], Panel(judges=[Judge()]))
    assert pairs == []
    assert isnan(report.mean)


@pytest.mark.parametrize("confidence", [-0.1, 1.5])
def test_a_confidence_beyond_its_range_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence of a must lie"):
        weigh_pairs([shown("a")], confidences={"a": confidence})


def test_a_confidence_that_is_not_known_weighs_one() -> None:
    pairs = weigh_pairs([shown("a"), shown("b"), shown("c")],
                        confidences={"a": nan, "b": 0.1, "c": 0.5}).pairs  # fmt: skip
    assert [pair.weight for pair in pairs] == [1.0, 0.75, 1.25]


def test_weights_of_published_files_are_brought_about_one() -> None:
    # 0.88 and 0.72: raw, they would be a smaller learning rate and little else.
    pairs = [replace(said("a", "x"), weight=0.88), replace(said("b", "y"), weight=0.72)]
    assert [pair.weight for pair in normalised_pairs(pairs)] == [1.25, 0.75]


def test_shuffled_pairs_keep_the_weights_of_their_family() -> None:
    pairs = [replace(said(str(n), "x"), weight=n / 10) for n in range(10)]
    pairs += [replace(shown(f"p{n}"), weight=1 + n / 10) for n in range(10)]
    dealt = shuffled_pairs(pairs, seed=3)
    assert [replace(pair, weight=1.0) for pair in dealt] == [
        replace(pair, weight=1.0) for pair in pairs
    ]
    assert sorted(pair.weight for pair in dealt[:10]) == [n / 10 for n in range(10)]
    assert [pair.weight for pair in dealt] != [pair.weight for pair in pairs]
    assert dealt == shuffled_pairs(pairs, seed=3)
