"""One vector for each picture, or each text, of questions."""

from collections.abc import Sequence

import numpy as np

from medrag.encoding.pictures import asked_pictures
from medrag.encoding.rows import Rows, different, means
from medrag.protocols import Encoder, Side
from medrag.records import Question


def picture_rows(encoder: Encoder, questions: Sequence[Question]) -> list[Rows]:
    """Encode every picture of each question apart, and each different picture once.

    Args:
        questions: with one picture or more each.

    Returns:
        (n_pictures, d) of each question.

    Raises:
        InputFileError: naming the first picture that cannot be read.
    """
    each = [asked_pictures(question) for question in questions]
    once, order = different([ref for several in each for ref in several])
    rows = question_rows(encoder, [Question(images=(ref,)) for ref in once], "image")[order]
    return np.split(rows, np.cumsum([len(several) for several in each])[:-1])


def question_rows(encoder: Encoder, questions: Sequence[Question], side: Side) -> Rows:
    """Encode one side of questions as one vector each: (n, d)."""
    found = encoder.encode_questions(questions, side)
    return means(found, normalised=encoder.normalised).values
