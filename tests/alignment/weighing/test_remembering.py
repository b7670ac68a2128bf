from collections.abc import Sequence
from pathlib import Path

import pytest

from medrag.alignment.weighing import Mistake, Panel, RememberedGenerator
from medrag.errors import EvaluationError
from medrag.records import Generation, ImageRef, Prompt, Question

MISTAKES = [Mistake("Is there an effusion?", "No", "Yes"), Mistake("Where?", "left", "right")]


class Judge:
    """Score 7, count the prompts, and fail on those with a word."""

    name = "judge"

    def __init__(self, broken: str = "") -> None:
        self.broken = broken
        self.n = 0

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        if self.broken and any(self.broken in str(prompt.parts) for prompt in prompts):
            raise RuntimeError("no memory")
        self.n += len(prompts)
        return [Generation("Score: 7") for _ in prompts]


def test_what_was_asked_is_not_asked_again(tmp_path: Path) -> None:
    judge = Judge()
    for _ in range(2):
        panel = Panel(judges=[RememberedGenerator(generator=judge, path=tmp_path / "said.db")])
        found = panel.score(MISTAKES)
        assert [each.score for each in found.relevances] == [0.7, 0.7]
    assert judge.n == 2


def test_what_failed_is_asked_again_and_is_no_score(tmp_path: Path) -> None:
    path = tmp_path / "said.db"
    panel = Panel(judges=[RememberedGenerator(generator=Judge("Where?"), path=path)])
    first, second = panel.score(MISTAKES).relevances
    assert (first.score, second.score == second.score) == (0.7, False)
    sound = Judge()
    panel = Panel(judges=[RememberedGenerator(generator=sound, path=path)])
    assert [each.score for each in panel.score(MISTAKES).relevances] == [0.7, 0.7]
    assert sound.n == 1


def test_a_prompt_with_pictures_is_asked_each_time(tmp_path: Path) -> None:
    judge = Judge()
    remembered = RememberedGenerator(generator=judge, path=tmp_path / "said.db")
    prompt = Prompt(Question("what?"), (), (ImageRef("/a.png"), "what?"))
    for _ in range(2):
        assert remembered.generate([prompt]) == [Generation("Score: 7")]
    assert judge.n == 2


def test_a_file_that_is_no_memory_is_told(tmp_path: Path) -> None:
    (tmp_path / "said.db").write_text("not a database" * 100)
    remembered = RememberedGenerator(generator=Judge(), path=tmp_path / "said.db")
    with pytest.raises(EvaluationError, match=r"said\.db"):
        remembered.generate([Prompt(Question("what?"), (), ("what?",))])
