"""Reranking on real reports: what was measured must hold."""

from pathlib import Path

import numpy as np
import pytest

from medrag.config import Index, build_index
from medrag.records import Filter, Passage, Question
from medrag.retrieval.channels import ChannelsRetriever
from medrag.retrieval.rerank.factual import FactualReranker
from medrag.retrieval.rerank.findings import WordLabeller, findings_of, overlap
from medrag.retrieval.rerank.retriever import RerankRetriever

pytestmark = pytest.mark.realdata
SAID = ("findings", "impression")


@pytest.fixture(scope="module")
def reports(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("reports") / "index"
    return build_index(folder, sources=[data / "radiology" / "iu_reports"], channels=["lexical"])


def mesh(report: Passage) -> frozenset[str]:
    """The headings that a person gave a report, without what qualifies them."""
    return frozenset(str(each).split("/")[0].lower() for each in report.fields["mesh"])


@pytest.mark.parametrize(
    ("heading", "observation"),
    [
        ("cardiomegaly", "cardiomegaly"),
        ("pulmonary atelectasis", "atelectasis"),
        ("pleural effusion", "pleural effusion"),
    ],
)
def test_observations_are_those_that_people_indexed(
    reports: Index, heading: str, observation: str
) -> None:
    labeller = WordLabeller()
    held = [observation in findings_of(each, labeller, {}).present for each in reports.passages]
    gold = [heading in mesh(each) for each in reports.passages]
    # Measured: precision 0.97, 0.81 and 0.84, recall 0.97, 0.97 and 1.00.
    both = sum(a and b for a, b in zip(held, gold, strict=True))
    assert both / sum(held) >= 0.8
    assert both / sum(gold) >= 0.95


def test_reports_that_say_the_same_come_first_and_never_of_the_same_study(reports: Index) -> None:
    passages = list(reports.passages)
    questions = [
        Question("\n".join(str(each.fields["sections"].get(name, "")) for name in SAID))
        for each in passages
    ]
    guards = [Filter(not_studies=frozenset({str(each.source.study)})) for each in passages]
    words = ChannelsRetriever(rows=reports.rows, channels=reports.chosen(["lexical"]))
    factual = RerankRetriever(
        library=reports.rows,
        retriever=words,
        rerankers=(FactualReranker(against="question", keep=None),),
        weight=0.5,
    )
    alike = []
    for retriever in (words, factual):
        rankings = retriever.retrieve(questions, 3, guards)
        pairs = list(zip(passages, rankings, strict=True))
        assert all(h.passage.source.study != p.source.study for p, hits in pairs for h in hits)
        alike.append(
            np.mean([overlap(mesh(p), mesh(h.passage)) for p, hits in pairs for h in hits])
        )
    # F1 of headings over the first three, measured: 0.431 by words, 0.486 with half of the score
    # for what is said.
    assert alike[1] >= alike[0] + 0.02
