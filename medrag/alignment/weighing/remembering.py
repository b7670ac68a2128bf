"""Judges whose replies are kept, so that a panel that was stopped goes on."""

from collections.abc import Sequence
from pathlib import Path

from medrag.evaluation.judging import CachedJudge
from medrag.protocols import Generator
from medrag.records import Generation, Prompt
from medrag.verification.asking import GeneratorJudge


class RememberedGenerator:
    """A generator whose texts are kept in an SQLite file, by a hash of its name and the prompt.

    The same words are asked once, whatever run asks them; a prompt that failed is asked again the
    next time, and its text is empty. Prompts with pictures are not kept, but asked each time.
    Prompts are not stored, texts are.

    Args:
        generator: whose name says what changes its texts.
        path: of the file; several judges may share it.
    """

    def __init__(self, *, generator: Generator, path: Path) -> None:
        self.name = generator.name
        self.looks: bool = getattr(generator, "looks", True)
        self.generator = generator
        self._judge = CachedJudge(judge=GeneratorJudge(generator=generator), path=path)

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        """Give the text for each prompt, from the file where it is known.

        Raises:
            EvaluationError: if the file cannot be read or written.
            MedragError: if the generator failed on every prompt that is not known.
        """
        if not all(isinstance(part, str) for prompt in prompts for part in prompt.parts):
            return self.generator.generate(prompts)
        texts = ["".join(map(str, prompt.parts)) for prompt in prompts]
        return [
            Generation("", finish_reason="failed") if reply is None else Generation(reply)
            for reply in self._judge.judge(texts)
        ]
