"""Answers made by hand from the sample corpus, for the pages that show them."""

from pathlib import Path

from medrag.records import (
    Answer,
    Citation,
    Claim,
    Hit,
    ImageRef,
    Part,
    Passage,
    Question,
    Region,
    Selection,
    Source,
)

SAMPLE = Path(__file__).parents[2] / "corpora" / "sample"
LIBRARY = SAMPLE / "library"
ROOTS = {"sample": LIBRARY}


def source(document: str = "textbook.pdf", **fields: object) -> Source:
    known: dict[str, object] = {"corpus": "sample", "sha256": "0" * 64, "licence": "CC0-1.0"}
    return Source(document=document, **{**known, **fields})  # type: ignore[arg-type]


def figure() -> Passage:
    box = (157.0, 78.0, 347.0, 268.0)
    return Passage(
        "p-figure", "figure", "Figure 1.6. Right pneumothorax. The visceral pleural line is seen.",
        source(regions=(Region(7, box),), domain="radiology"),
        (ImageRef("textbook.pdf", page=7, box=box),), {"number": "1.6"},
    )  # fmt: skip


def report(image: str = "radiographs/s06.jpg") -> Passage:
    sections = {"findings": "A visceral pleural line is seen.", "impression": "Pneumothorax."}
    return Passage(
        "p-report", "report", " ".join(sections.values()),
        source("reports.csv", domain="radiology", time="2026-02-06"),
        (ImageRef(image),), {"sections": sections},
    )  # fmt: skip


def fact(number: int, head: str, relation: str, tail: str) -> Passage:
    fields = {"head": head, "relation": relation, "tail": tail}
    return Passage(
        f"p-fact-{number}", "fact", f"{head} {relation} {tail}.", source("signs.obo"), (), fields
    )


def answered() -> Answer:
    """Give an answer with a figure, a report and two facts, and a question with a picture."""
    passages = [
        figure(),
        report(),
        fact(3, "pneumothorax", "has_finding", "visceral pleural line"),
        fact(4, "tension pneumothorax", "is_a", "pneumothorax"),
    ]
    parts = {"lexical": Part(2, 7.25), "graph": Part(1, 0.5)}
    hits = tuple(Hit(p, 0.03 - 0.001 * i, i + 1, "q", parts) for i, p in enumerate(passages))
    return Answer(
        Question(
            "Is there a pneumothorax?", (SAMPLE / "questions" / "q-pneumothorax.jpg",), id="one"
        ),
        "Yes [1, 2]. The visceral pleural line is seen [1].\nIt is its sign [3-4].",
        claims=(
            Claim("The visceral pleural line is seen.", (1,)),
            Claim("It is its sign.", (3, 4)),
        ),
        citations=tuple(Citation(i, hit.passage, hit.score) for i, hit in enumerate(hits, 1)),
        selection=Selection(hits),
        excluded=(Hit(report("radiographs/s07.jpg"), 0.01, 3),),
        timings={"retrieve": 0.012},
    )


def abstained() -> Answer:
    hits = (Hit(figure(), 0.01, 1),)
    return Answer(
        Question("Which dose is given?", id="two"),
        "No evidence found in this library.",
        selection=Selection(hits),
        abstained=True,
    )
