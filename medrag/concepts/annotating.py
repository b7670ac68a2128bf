"""What reports say to a concept: yes, no, or neither."""

from collections.abc import Sequence

import numpy as np

from medrag.concepts.book import Concept
from medrag.concepts.prompts import report_prompt
from medrag.concepts.sifting import Judge, said
from medrag.language import sentences
from medrag.protocols import Encoder
from medrag.records import Question


class Annotator:
    """Ask a generator what each report says to a concept.

    Source:
        KnoBo, arXiv 2405.14839 (annotation of reports); a third answer is allowed here.
    """

    def __init__(self, *, judge: Judge) -> None:
        self.judge = judge

    def annotate(self, concept: Concept, reports: Sequence[str]) -> list[bool | None]:
        """Give what each report says; None where it says neither or no reply came."""
        if not reports:
            return []
        prompts = [report_prompt(concept.question, report) for report in reports]
        return [said(reply) for reply in self.judge.judge(prompts)]


def likeliest_reports(
    concept: Concept, reports: Sequence[str], encoder: Encoder, *, n: int = 1000
) -> list[int]:
    """Choose the reports with a sentence that is nearest to a concept's own.

    Args:
        encoder: of texts.

    Returns:
        Places of at most n reports, the nearest first; equal ones in their order.

    Source:
        KnoBo, arXiv 2405.14839: the largest cosine of the concept and a report's sentences; 1000.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    said_in = [
        [report[start:end] for start, end in sentences(report, "en")] or [report]
        for report in reports
    ]
    texts = [sentence for each in said_in for sentence in each]
    if not texts:
        return []
    asked = [Question(text=concept.statement or concept.question)]
    wanted = encoder.encode_questions(asked, "text").values.mean(axis=0)
    found = encoder.encode_questions([Question(text=text) for text in texts], "text")
    starts = np.cumsum(found.lengths) - found.lengths
    nearest = np.maximum.reduceat(found.values @ wanted, starts)
    ends = np.cumsum([len(each) for each in said_in])
    best = [nearest[end - len(each) : end].max() for end, each in zip(ends, said_in, strict=True)]
    return [int(place) for place in np.argsort(-np.array(best), kind="stable")[:n]]
