"""From a pipeline and a benchmark to pairs, by real runs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from medrag.alignment.pairs import four_runs, mine_pairs, pictures_of, read_pairs, write_pairs
from medrag.answering import OnePassAnswerer
from medrag.evaluation.run import run_benchmark
from medrag.evaluation.runs import Run
from medrag.evaluation.scorers import scoring_protocol
from medrag.images import read_image
from medrag.records import Generation, Prompt
from tests.alignment.pairs.made import ARMS
from tests.evaluation.library import loaded, pipeline_on, written_index, written_questions


class Reader:
    """Takes the first option that its evidence names, or else the first; it never looks."""

    name = "reader"

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        return [Generation(self.chosen(each)) for each in prompts]

    def chosen(self, prompt: Prompt) -> str:
        told = " ".join(hit.passage.text for hit in prompt.evidence[:1])
        options = prompt.question.options
        return next((option for option in options if option in told), options[0])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("mined")
    pipeline = pipeline_on(written_index(folder / "library"))
    pipeline.answerer = OnePassAnswerer(generator=Reader())
    questions = loaded(written_questions(folder / "questions", pictures=True))
    return run_benchmark(pipeline, questions, folder / "run", arms=ARMS)


def test_a_run_of_four_arms_gives_pairs_that_can_be_trained_on(run: Run, tmp_path: Path) -> None:
    mined = mine_pairs(four_runs([run]), protocol=scoring_protocol("exact"))
    right = {arm: set[str]() for arm in ARMS}
    for item, arm, answer in run.answers():
        if answer.text.startswith(run.items[item].references[0]):
            right[arm].add(item)
    # The reader never looks: what it knows with a picture it knows with noise.
    assert right["context"] == right["noise_image"]
    assert right["context"] > right["no_context"]
    assert mined.counts == {
        "cross_modality": len(right["context"]),
        "use_context": len(right["context"] - right["no_context"]),
        "not_misled": 0,
    }
    write_pairs(tmp_path / "pairs.jsonl", mined.pairs)
    assert tuple(read_pairs(tmp_path / "pairs.jsonl")) == mined.pairs


def test_a_pair_holds_the_prompt_that_was_read_and_the_noise_that_was_seen(run: Run) -> None:
    mined = mine_pairs(four_runs([run]), protocol=scoring_protocol("exact"))
    pair = next(each for each in mined.pairs if each.family == "cross_modality")
    item = run.items[pair.source_ids[0]]
    told = " ".join(part for part in pair.prompt if isinstance(part, str))
    assert item.question.text in told
    assert "[1]" in told
    (clean,), (noisy,) = pictures_of(pair.prompt), pictures_of(pair.rejected_prompt or ())
    assert read_image(noisy).shape == read_image(clean).shape
    assert not np.array_equal(read_image(noisy), read_image(clean))
    assert pair.chosen[3:] == item.references[0]
