"""Random reports of few words, so that they share runs of them."""

import numpy as np
import pytest

WORDS = [
    "no", "the", "small", "left", "right", "pleural", "effusion", "effusions", "lung", "lungs",
    "is", "are", "clear", "seen", ".",
]  # fmt: skip


@pytest.fixture(scope="session")
def reports() -> tuple[list[str], list[list[str]]]:
    """150 answers, among them an empty one and a right one, with one to three references."""
    generator = np.random.default_rng(0)

    def report() -> str:
        return " ".join(generator.choice(WORDS, size=generator.integers(1, 26)))

    answers = [report() for _ in range(150)]
    references = [[report() for _ in range(generator.integers(1, 4))] for _ in answers]
    answers[3], answers[5] = "", references[5][0]
    return answers, references
