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


class ReportSentences:
    """The sentences of reports, encoded once, to find the reports that speak of a concept.

    Args:
        reports: texts; one without a sentence counts as a sentence itself.
        encoder: of texts.

    Source:
        KnoBo, arXiv 2405.14839: the largest cosine of the concept and a report's sentences; 1000.
    """

    def __init__(self, *, reports: Sequence[str], encoder: Encoder) -> None:
        said_in = [
            [report[start:end] for start, end in sentences(report, "en")] or [report]
            for report in reports
        ]
        texts = [Question(text=sentence) for each in said_in for sentence in each]
        self.encoder = encoder
        self.ends = np.cumsum([len(each) for each in said_in])
        self.vectors = encoder.encode_questions(texts, "text")

    def nearest(self, concept: Concept, *, n: int = 1000) -> list[int]:
        """Choose the reports with a sentence that is nearest to a concept's statement.

        Returns:
            Places of at most n reports, the nearest first; equal ones in their order.

        Raises:
            ValueError: if n is below 1.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        if not len(self.ends):
            return []
        asked = [Question(text=concept.statement or concept.question)]
        wanted = self.encoder.encode_questions(asked, "text").values.mean(axis=0)
        starts = np.cumsum(self.vectors.lengths) - self.vectors.lengths
        of_sentences = np.maximum.reduceat(self.vectors.values @ wanted, starts)
        begins = np.concatenate([[0], self.ends[:-1]])
        of_reports = np.maximum.reduceat(of_sentences, begins)
        return [int(place) for place in np.argsort(-of_reports, kind="stable")[:n]]
