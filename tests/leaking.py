"""A library with planted passages of the questions' own pictures, studies and patients."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from medrag.build import ChannelPlan, SourceFile, build
from medrag.config import Index, open_index
from medrag.config.channels import channel_specs
from medrag.config.place import Place
from medrag.config.recipes import planned_channels
from medrag.identity import load_key, pseudonym
from medrag.ingestion.sources import file_sha256, source_of
from medrag.pipeline import prepared
from medrag.protocols import Side
from medrag.records import (
    Corpus,
    Embeddings,
    Filter,
    Generation,
    ImageRef,
    Kind,
    Passage,
    Prompt,
    Question,
    QuestionRegion,
    ScoredRow,
    passage_id,
)

N_PATIENTS = 5
KINDS: tuple[Kind, ...] = ("text", "image", "report", "case", "fact")
NOW = "2020-06-15T10:00"
WORDS = "There is a pleural effusion at the base of the left lung"
ASKED = "Is there a pleural effusion at the base of the left lung?"


@dataclass(frozen=True, slots=True)
class Leaks:
    """The index, the questions, and the ids of what was planted by "image", "study", "subject".

    `earlier` are those of "subject" that are of an earlier study, by patient.
    """

    folder: Path
    index: Index
    questions: tuple[Question, ...]
    planted: Mapping[str, frozenset[str]]
    earlier: Mapping[str, frozenset[str]]


def leaks(folder: Path) -> Leaks:
    """Plant 100 passages of each sort, over all kinds, beside 100 of others that say the same."""
    (folder / "in").mkdir(parents=True)
    lines = list(_lines(folder / "in"))
    path = folder / "in" / "all.lines"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    corpus = Corpus("planted", folder / "in", domain="radiology")
    recipes = planned_channels(channel_specs(["lexical", "image", "graph"]), Place("channels"))
    build(
        folder / "index",
        [SourceFile(path, corpus, "lines", {})],
        ingestor=_ingestor,
        channels={name: ChannelPlan(each.spec, each.encoder) for name, each in recipes.items()},
    )
    index = open_index(folder / "index")
    sorts: dict[str, set[str]] = {"image": set(), "study": set(), "subject": set()}
    earlier: dict[str, set[str]] = {}
    for passage, line in zip(index.passages, lines, strict=True):
        if line["sort"] in sorts:
            sorts[line["sort"]].add(passage.id)
        if line["sort"] == "subject" and (line["time"] or NOW) < NOW:
            earlier.setdefault(passage.source.subject or "", set()).add(passage.id)
    return Leaks(
        folder,
        index,
        tuple(asked(folder / "in")),
        {name: frozenset(ids) for name, ids in sorts.items()},
        {subject: frozenset(ids) for subject, ids in earlier.items()},
    )


def asked(folder: Path) -> list[Question]:
    """Ask of each patient with one picture, with an earlier one beside it, and by a region."""
    questions = []
    for number in range(N_PATIENTS):
        now, then = (str(folder / f"{name}{number}.png") for name in ("now", "then"))
        box = QuestionRegion(box=(4, 4, 40, 40), name="left lung")
        known: dict[str, Any] = {
            "text": ASKED, "subject": _subject(number), "study": f"study {number}", "time": NOW,
            "domain": "radiology",
        }  # fmt: skip
        questions += [
            Question(id=f"one {number}", images=(now,), **known),
            Question(id=f"two {number}", images=(then, now), **known),
            Question(id=f"region {number}", images=(now,), regions=(box,), **known),
            Question(id=f"words {number}", **known),
        ]
    return prepared(questions, key())


def own(question: Question, passage: Passage) -> bool:
    """Tell whether a passage is of the question's own picture, study or patient."""
    shown = {image.sha256 for image in question.images if isinstance(image, ImageRef)}
    source = passage.source
    return (
        source.subject == question.subject
        or source.study == question.study
        or any(image.sha256 in shown for image in passage.images)
    )


class Scripted:
    """A generator that asks for more wherever it may, and then answers."""

    name = "scripted"

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        return [Generation(self._reply(prompt)) for prompt in prompts]

    def _reply(self, prompt: Prompt) -> str:
        told = "\n".join(part for part in prompt.parts if isinstance(part, str))
        query = "a pleural effusion at the base of the left lung"
        if "<tool_call>" in told:
            call = json.dumps({"name": "rag", "parameters": {"query": query}})
            return f"<think>So.</think>\n<tool_call>\n{call}\n</tool_call>"
        if "<summary>" in told:
            if len(prompt.turns) < 2:
                return f"<think>So.</think><search>{query}</search>"
            return "<think>So.</think><summary>It is there [1].\nIt is there [2].</summary>"
        if '"- "' in told:
            return f"- {query}\n- effusion"
        markers = "".join(f"[{n}]" for n in range(1, len(prompt.evidence) + 1))
        return f"Yes, there is a pleural effusion {markers}."


class OneSpace:
    """An encoder of pictures and texts that likes everything alike."""

    name = "one space"
    normalised = True

    def encodes(self, passage: Passage) -> bool:
        return True

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        return _ones(len(passages))

    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings:
        return _ones(len(questions))


class OneSpaceChannel:
    """A channel of that encoder, whose vectors are all alike."""

    has_vectors = True
    encoder = OneSpace()

    def __init__(self, side: Side = "image") -> None:
        self.side: Side = side

    def vectors_at(self, rows: Sequence[int]) -> Embeddings:
        return _ones(len(rows))

    def search(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        raise NotImplementedError


class _Lines:
    """Read passages from lines that hold all of them."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus

    def passages(self, path: Path) -> Iterator[Passage]:
        sha256 = file_sha256(path)
        for line in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            named = {key: line.get(key) for key in ("subject", "study", "time")}
            source = source_of(self.corpus, path, sha256=sha256, domain="radiology", **named)
            images = tuple(ImageRef(name) for name in line["images"])
            name = passage_id(line["kind"], source, line["text"], images)
            yield Passage(name, line["kind"], line["text"], source, images, line["fields"])


def _ingestor(file: SourceFile) -> _Lines:
    return _Lines(file.corpus)


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    draw = np.random.default_rng(7)
    yield _line("other", "term", 0, name="pleural effusion", id="T:1", synonyms=["effusion"])
    number = 0
    for patient in range(N_PATIENTS):
        seen = draw.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        before = draw.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        now = _picture(folder / f"now{patient}.png", seen)
        then = _picture(folder / f"then{patient}.png", before)
        alike = [
            [
                _picture(folder / f"{side}{patient}-{turn}.png", _near(draw, pixels))
                for side, pixels in (("before", before), ("after", seen))
            ]
            for turn in range(4)
        ]
        for sort in ("image", "study", "subject", "other"):
            for turn in range(20):
                number += 1
                near = alike[turn % 4]
                own = [now] if turn % 2 else [then, near[1]]
                # A pair where it may be one, and one picture where it is to be found by it.
                other = near if turn % 2 else near[1:]
                yield _line(
                    sort,
                    KINDS[turn % len(KINDS)],
                    number,
                    images=own if sort == "image" else other,
                    **_names(sort, patient, turn, number),
                )


def _names(sort: str, patient: int, turn: int, number: int) -> dict[str, str | None]:
    day = f"20{10 + turn % 10}-03-04"
    if sort == "study":
        return {"study": _hashed(f"study {patient}"), "time": day}
    if sort == "subject":
        time = day if turn < 12 else None if turn % 2 else f"2020-06-15T1{turn % 10}:00"
        study = f"another {patient} {turn // 2}"
        return {"subject": _hashed(_subject(patient)), "study": _hashed(study), "time": time}
    names = {"subject": _hashed(f"other {number}"), "study": _hashed(f"of other {number}")}
    return {**names, "time": day}


def _line(
    sort: str,
    kind: Kind,
    number: int,
    *,
    images: Sequence[str] = (),
    subject: str | None = None,
    study: str | None = None,
    time: str | None = None,
    **fields: Any,
) -> dict[str, Any]:
    text = f"{WORDS}, as in note {number}."
    if kind == "fact":
        head = {"head": "pleural effusion", "head_id": "T:1"}
        tail = {"tail": f"place {number}", "tail_id": f"T:p{number}"}
        fields |= {**head, "relation": "located_at", **tail, "polarity": "present"}
        text = f"pleural effusion located at place {number}."
    if kind == "case":
        fields |= {"question": f"{ASKED} ({number})", "answer": "Yes"}
        text = f"Question: {ASKED} ({number})\nAnswer: Yes"
    if kind == "report":
        fields |= {"sections": {"findings": text}}
    return {
        "sort": sort, "kind": kind, "text": text, "images": list(images), "subject": subject,
        "study": study, "time": time or None, "fields": fields,
    }  # fmt: skip


def _near(draw: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    moved = pixels.astype(np.int64) + draw.integers(-9, 10, pixels.shape)
    near: np.ndarray = np.clip(moved, 0, 255).astype(np.uint8)
    return near


def _picture(path: Path, pixels: np.ndarray) -> str:
    Image.fromarray(pixels).resize((48, 48), Image.Resampling.NEAREST).save(path)
    return path.name


def _subject(patient: int) -> str:
    return f"patient {patient}"


def _hashed(name: str) -> str:
    return pseudonym(name, key())


# A passphrase is stretched anew at each reading.
@cache
def key() -> bytes:
    return load_key()


def _ones(n: int) -> Embeddings:
    return Embeddings(np.ones((n, 1), dtype=np.float32), np.ones(n, dtype=np.int32))
