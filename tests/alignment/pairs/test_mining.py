"""Pairs from the answers of four runs."""

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from medrag.alignment.noise import Noise
from medrag.alignment.pairs import (
    Mined,
    PreferencePair,
    families,
    four_runs,
    mine_pairs,
    pictures_of,
    read_pairs,
    reference_text,
    write_pairs,
)
from medrag.alignment.pairs.mining import NEEDS
from medrag.evaluation.runs import Run, open_run
from medrag.evaluation.scorers import scoring_protocol
from medrag.evaluation.scorers.protocol import Case, Scored
from medrag.records import Answer, ImageRef, Item, Passage, Question
from tests.alignment.pairs.made import (
    OUTCOMES,
    all_outcomes,
    answered,
    four_arms,
    items_of,
    named,
    passage,
    picture,
)
from tests.evaluation.library import written_run

EXACT = scoring_protocol("exact")


def by_family(mined: Mined) -> dict[str, list[PreferencePair]]:
    return {f: [p for p in mined.pairs if p.family == f] for f in mined.counts}


def mined_from(run: Run, **options: object) -> Mined:
    return mine_pairs(four_runs([run]), protocol=EXACT, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return all_outcomes(tmp_path_factory.mktemp("sixteen"))


def one_item(
    folder: Path, said: Sequence[str], evidence: tuple[Passage, ...] = (), **changes: object
) -> Run:
    items = items_of(folder / "images", ["one"], **changes)
    return four_arms(folder / "run", items, {"one": said}, evidence=evidence)


def test_every_outcome_gives_the_families_of_the_truth_table(run: Run) -> None:
    mined = mined_from(run, families=list(NEEDS))
    found = Counter((pair.source_ids[0], pair.family) for pair in mined.pairs)
    expected = Counter(
        (named(outcome), family)
        for outcome in OUTCOMES
        for family in families(*outcome)  # type: ignore[arg-type]
    )
    assert found == expected
    assert mined.counts == Counter(family for _, family in expected)
    # Each of sixteen outcomes is met once.
    assert list(mined.outcomes.values()) == [1] * 16
    assert mined.left_out == {}


def test_a_pair_that_says_to_use_context_rejects_what_was_said_without_it(run: Run) -> None:
    pair = next(p for p in mined_from(run).pairs if p.id == "made/test/RWWW/use_context")
    image, words = pair.prompt[1:]
    assert pair.prompt[0] == "[1] Fluid is grey."
    assert isinstance(image, ImageRef)
    assert words == "Is there fluid in RWWW?"
    assert (pair.chosen, pair.rejected) == ("Yes", "No.")
    assert pair.rejected_prompt is None
    assert pair.noise is None
    assert pair.domain == "radiology"
    assert pair.source_ids == ("RWWW", "answer Yes. to RWWW", "answer No. to RWWW")


def test_a_pair_against_being_misled_rejects_what_was_said_with_context(run: Run) -> None:
    pair = next(p for p in mined_from(run).pairs if p.id == "made/test/WRWW/not_misled")
    assert pair.prompt[0] == "[1] Fluid is grey."
    assert (pair.chosen, pair.rejected) == ("Yes", "No.")
    assert pair.rejected_prompt is None


def test_a_pair_across_modalities_rejects_the_same_of_the_corrupted_picture(run: Run) -> None:
    pair = next(p for p in mined_from(run).pairs if p.id == "made/test/RRRW/cross_modality")
    (clean,), (noisy,) = pictures_of(pair.prompt), pictures_of(pair.rejected_prompt or ())
    assert (pair.chosen, pair.rejected) == ("Yes", "Yes.")
    assert clean.path.endswith("RRRW.png")
    assert noisy.path.endswith("noise.png")
    assert [part for part in pair.prompt if isinstance(part, str)] == [
        part for part in pair.rejected_prompt or () if isinstance(part, str)
    ]


def test_a_conditional_pair_says_one_thing_of_two_pictures_without_context(run: Run) -> None:
    mined = mined_from(run, families=["conditional"])
    pair = next(p for p in mined.pairs if p.id == "made/test/RRWR/conditional")
    assert pair.chosen == pair.rejected == "Yes"
    assert [part for part in pair.prompt if isinstance(part, str)] == ["Is there fluid in RRWR?"]
    assert pictures_of(pair.prompt) != pictures_of(pair.rejected_prompt or ())


def test_mined_pairs_can_be_written_and_read(run: Run, tmp_path: Path) -> None:
    pairs = mined_from(run, families=list(NEEDS)).pairs
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    assert tuple(read_pairs(tmp_path / "pairs.jsonl")) == pairs


def test_a_noise_stands_in_for_the_pictures_of_the_run(run: Run) -> None:
    noise = Noise("diffusion", seed=4, step=500)
    mined = mined_from(run, noise=noise)
    for pair in mined.pairs:
        noised = pair.family == "cross_modality"
        assert pair.rejected_prompt is None
        assert pair.noise == (noise if noised else None)


def test_only_the_questions_own_pictures_are_noised(tmp_path: Path) -> None:
    shown = passage("Fluid looks so.", (picture(tmp_path / "book.png", 7),))
    run = one_item(tmp_path, ["Yes."] * 4, (shown,))
    (pair,) = mined_from(run, noise=Noise("blank")).pairs
    # The picture of the evidence stands first in the prompt.
    assert [Path(image.path).name for image in pictures_of(pair.prompt)] == ["book.png", "one.png"]
    assert pair.noised == (1,)


def test_how_the_run_corrupted_its_pictures_is_told(tmp_path: Path) -> None:
    run = one_item(tmp_path, ["Yes."] * 4)
    told = {"kind": "diffusion", "step": 500}
    run = replace(run, manifest={**run.manifest, "corruption": told})
    (pair,) = mined_from(run).pairs
    assert pair.noise == Noise("diffusion", step=500)
    assert pair.rejected_prompt is not None


def test_the_models_own_right_answer_can_be_chosen(run: Run) -> None:
    pairs = by_family(mined_from(run, chosen="answer", families=list(NEEDS)))
    assert {pair.chosen for each in pairs.values() for pair in each} == {"Yes."}
    # Without another picture the two sides would be equal.
    assert {pair.rejected for pair in pairs["conditional"]} == {"Yes."}


def test_markers_go_with_references_and_stay_with_answers(tmp_path: Path) -> None:
    run = one_item(tmp_path, ["Yes [1].", "No [1].", "No.", "No."])
    (plain,) = mined_from(run).pairs
    (own,) = mined_from(run, chosen="answer").pairs
    assert (plain.chosen, plain.rejected) == ("Yes", "No.")
    assert (own.chosen, own.rejected) == ("Yes [1].", "No [1].")


def test_a_right_option_has_its_letter() -> None:
    asked = Question("Which?", options=("gout", "stroke", "gout and stroke"))
    one = Item("one", asked, ("stroke",), "choice")
    several = Item("two", asked, ("gout and stroke", "gout"), "choices")
    assert reference_text(one) == "B. stroke"
    assert reference_text(several) == "A. gout; C. gout and stroke"
    assert reference_text(Item("three", Question("Who?"), (" Galen ", "Rhazes"))) == "Galen"
    assert reference_text(Item("four", Question("Who?"))) == ""


@pytest.mark.parametrize(
    ("said", "left_out"),
    [
        (["Yes.", "The sky is blue.", "No.", "No."], "use_context: no_context unparsed"),
        (["The sky is blue.", "Yes.", "No.", "No."], "not_misled: context unparsed"),
        (["Yes.", "", "No.", "No."], "use_context: no_context"),
    ],
)
def test_an_answer_that_cannot_be_read_is_neither_right_nor_wrong(
    tmp_path: Path, said: list[str], left_out: str
) -> None:
    mined = mined_from(one_item(tmp_path, said))
    assert mined.pairs == ()
    assert any(reason.startswith(left_out) for reason in mined.left_out)


def test_what_cannot_be_read_can_be_called_wrong(tmp_path: Path) -> None:
    run = one_item(tmp_path, ["Yes.", "The sky is blue.", "No.", "No."])
    (pair,) = mined_from(run, unparsed="wrong").pairs
    assert pair.rejected == "The sky is blue."


def test_an_unknown_answer_that_changes_nothing_leaves_nothing_out(tmp_path: Path) -> None:
    # Wrong with context: whatever stands without it, context was of no use.
    run = one_item(tmp_path, ["No.", "The sky is blue.", "No.", "No."])
    assert mined_from(run, families=["use_context"]).left_out == {}


def test_questions_without_a_picture_have_no_pair_across_modalities(tmp_path: Path) -> None:
    (item,) = items_of(tmp_path / "images", ["one"])
    item = replace(item, question=replace(item.question, images=()))
    answers = {
        arm: [answered(item, "Yes.", evidence=(passage("Fluid."),))]
        for arm in ("context", "no_context", "noise_image")
    }
    mined = mined_from(written_run(tmp_path / "run", [item], answers))
    assert mined.pairs == ()
    assert mined.left_out == {"cross_modality: the question has no picture": 1}


class SaysYes:
    """A protocol by which yes is right, whatever the reference."""

    name, mode, about, source = "says_yes", "corrected", "", ""
    headline, defects = ("right",), ()

    def score(self, cases: Sequence[Case]) -> list[dict[str, float]]:
        return [{"right": float(case.answer.text == "Yes.")} for case in cases]

    def totals(self, scored: Scored) -> dict[str, float]:
        return {}


def test_items_without_a_reference_are_counted(tmp_path: Path) -> None:
    run = one_item(tmp_path, ["Yes.", "No.", "No.", "No."], references=())
    mined = mine_pairs(four_runs([run]), protocol=SaysYes())  # type: ignore[arg-type]
    assert mined.left_out == {"use_context: the item has no reference": 1}


def test_an_answer_that_is_the_reference_is_not_rejected(tmp_path: Path) -> None:
    run = one_item(tmp_path, ["Yes.", "No", "No.", "No."], references=("No",))
    mined = mine_pairs(four_runs([run]), protocol=SaysYes())  # type: ignore[arg-type]
    assert mined.left_out == {"use_context: chosen and rejected are equal": 1}


def test_an_answer_that_failed_is_unknown(tmp_path: Path) -> None:
    (item,) = items_of(tmp_path / "images", ["one"])
    answers = {
        "context": [answered(item, "Yes.")],
        "no_context": [Answer(item.question, "", error="out of memory")],
    }
    run = written_run(tmp_path / "run", [item], answers)
    mined = mined_from(run, families=["use_context", "not_misled"])
    assert mined.left_out == {"use_context: no_context failed": 1}


def test_a_run_without_prompts_gives_no_pairs_and_says_so(tmp_path: Path) -> None:
    (item,) = items_of(tmp_path / "images", ["one"])
    answers = {
        "context": [replace(answered(item, "Yes."), prompt=())],
        "no_context": [answered(item, "No.")],
    }
    run = written_run(tmp_path / "run", [item], answers)
    mined = mined_from(run, families=["use_context"])
    assert mined.left_out == {"use_context: the run keeps no prompt of the answer": 1}


def test_pictures_of_the_evidence_are_found_by_resolve(tmp_path: Path) -> None:
    book = picture(tmp_path / "corpus" / "book.png", 7)
    stored = passage("Fluid looks so.", (replace(book, path="book.png"),))
    run = one_item(tmp_path, ["Yes.", "No.", "No.", "No."], (stored,))
    assert mined_from(run).left_out == {
        "use_context: a picture of the evidence has no place on this machine; give resolve": 1
    }

    def resolve(each: Passage) -> Passage:
        return replace(each, images=(book,))

    (pair,) = mined_from(run, resolve=resolve).pairs
    assert pictures_of(pair.prompt)[0] == book


def test_a_run_that_was_moved_finds_the_pictures_that_it_made(tmp_path: Path) -> None:
    run = one_item(tmp_path, ["Yes."] * 4)
    moved = tmp_path / "moved"
    shutil.copytree(run.folder, moved)
    (moved / "pictures").mkdir()
    (tmp_path / "noise.png").rename(moved / "pictures" / "noise.png")
    (pair,) = mined_from(open_run(moved)).pairs
    (noisy,) = pictures_of(pair.rejected_prompt or ())
    assert noisy.path == str(moved / "pictures" / "noise.png")


def test_a_limit_keeps_as_many_of_each_family_and_counts_the_rest(run: Run) -> None:
    mined = mined_from(run, limit=2)
    assert mined.counts == {"cross_modality": 2, "use_context": 2, "not_misled": 2}
    assert mined.left_out == {f"{family}: more than were asked for": 2 for family in mined.counts}


def test_balance_keeps_as_many_of_each_family_as_of_the_smallest(tmp_path: Path) -> None:
    names = [f"{name}-{n}" for name, many in (("RWWW", 5), ("WRWW", 2)) for n in range(many)]
    said = {n: ["Yes." if letter == "R" else "No." for letter in n[:4]] for n in names}
    run = four_arms(tmp_path / "run", items_of(tmp_path / "images", names), said)
    # No item is right with a corrupted picture: a family without pairs does not empty the others.
    assert mined_from(run, balance=True).counts == {
        "cross_modality": 0, "use_context": 2, "not_misled": 2,
    }  # fmt: skip
    assert mined_from(run).counts["use_context"] == 5


def test_the_seed_alone_decides_which_pairs_are_kept(run: Run) -> None:
    kept = [{p.id for p in mined_from(run, limit=1, seed=s).pairs} for s in (0, 0, 1, 2, 3)]
    assert kept[0] == kept[1]
    assert len({frozenset(each) for each in kept}) > 1


def test_the_mean_can_be_the_threshold(tmp_path: Path) -> None:
    names = ["high", "low"]
    said = {
        # As shares of the reference's words: 2/4 with context, none without; then 1/4 and none.
        "high": ["grey fluid", "sky", "sky", "sky"],
        "low": ["grey", "sky", "sky", "sky"],
    }
    items = items_of(tmp_path / "images", names, kind="text", references=("grey fluid left lung",))
    run = four_arms(tmp_path / "run", items, said)
    protocol = scoring_protocol("llava_med")

    def found(threshold: float | None) -> list[str]:
        mined = mine_pairs(
            four_runs([run]), protocol=protocol, families=["use_context"], threshold=threshold
        )
        return [pair.source_ids[0] for pair in mined.pairs]

    assert found(0.5) == ["high"]
    # The mean of eight answers is (2/4 + 1/4) / 8, less than 1/8.
    assert found(None) == ["high", "low"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"families": []}, "families must name each family once"),
        ({"families": ["use_context", "use_context"]}, "families must name each family once"),
        ({"families": ["written"]}, "families holds 'written'; mined are cross_modality"),
        ({"chosen": "best"}, "chosen must be reference or answer"),
        ({"unparsed": "right"}, "unparsed must be leave_out or wrong"),
        ({"limit": 0}, "limit must be at least 1"),
        ({"noise": Noise("diffusion")}, "step is needed"),
    ],
)
def test_arguments_out_of_range_are_refused(
    run: Run, options: dict[str, object], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        mined_from(run, **options)
