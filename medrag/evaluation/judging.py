"""Judges: models that read an answer beside its reference, what they are asked, how they are read.

Nothing here speaks to a model. A judge is given; `CachedJudge` keeps its replies on disk, so that a
run that was stopped goes on, and the same question is never paid for twice.

Source:
    MedEvalKit (Lingshu team, arXiv 2506.07044): 0 for right and 1 for wrong, between tags;
    SURE-VQA (Baumann et al., 2024): 1 to 5 for open answers, 0 or 1 for closed ones, 0, 0.5 or 1
    for several labels. The wording of the prompts is our own, the scales are theirs.
"""

import hashlib
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from medrag.errors import EvaluationError
from medrag.evaluation.text_measures import exact_match
from medrag.records import Item

# Prompts that are asked before their replies are kept.
_PORTION = 32
# Seconds to wait for another process that is writing.
_PATIENCE = 60.0
_VERDICT = re.compile(r"<judge>\s*\{?\s*([01])\s*\}?\s*</judge>")
_BARE = re.compile(r"\s*([01])\s*\.?\s*")
_RATING = re.compile(r"rating[\"*\s]*:[\"*\s\[(]*([0-9](?:\.[0-9]+)?)(?![\d.]*\d)", re.IGNORECASE)
_BARE_RATING = re.compile(r"[\s*\"]*([0-9](?:\.[0-9]+)?)[\s*\".]*")
_SCALES: Mapping[str, tuple[float, ...]] = {
    "open": (1.0, 2.0, 3.0, 4.0, 5.0),
    "closed": (0.0, 1.0),
    "labels": (0.0, 0.5, 1.0),
}
_ASKED = {
    "open": "How well does the answer say what the reference says? Give 1 if it says nothing of it "
    "or contradicts it, 2 if little, 3 if half, 4 if nearly all, 5 if it means the same.",
    "closed": "Does the answer say what the reference says? Give 1 if it does, 0 if it does not.",
    "labels": "The reference names several things. Give 1 if the answer names all of them and no "
    "other, 0.5 if it names some of them, 0 if it names none.",
}


class Judge(Protocol):
    """A model that reads prompts; `name` says which, with what changes its replies."""

    @property
    def name(self) -> str: ...
    def judge(self, prompts: Sequence[str]) -> list[str | None]:
        """Reply to each prompt, in order; None where there is no reply."""
        ...


class CachedJudge:
    """A judge whose replies are kept in an SQLite file, by a hash of its name and the prompt.

    Replies are kept after every few prompts: what was asked before a crash is not asked again. A
    prompt without a reply is asked again the next time. Prompts are not stored.
    """

    def __init__(self, *, judge: Judge, path: Path) -> None:
        self.name = judge.name
        self.path = path
        self._judge = judge

    def judge(self, prompts: Sequence[str]) -> list[str | None]:
        """Reply to each prompt, from the file where it is known.

        Raises:
            EvaluationError: if the file cannot be read or written.
        """
        keys = [prompt_key(self.name, prompt) for prompt in prompts]
        asked = dict(zip(keys, prompts, strict=True))
        known = self._known(list(asked))
        missing = [(key, prompt) for key, prompt in asked.items() if key not in known]
        for start in range(0, len(missing), _PORTION):
            portion = missing[start : start + _PORTION]
            replies = self._judge.judge([prompt for _, prompt in portion])
            new = {
                key: reply
                for (key, _), reply in zip(portion, replies, strict=True)
                if reply is not None
            }
            self._keep(new)
            known |= new
        return [known.get(key) for key in keys]

    def _known(self, keys: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        with self._open() as connection:
            for key in keys:
                row = connection.execute("SELECT reply FROM replies WHERE key = ?", (key,))
                if (reply := row.fetchone()) is not None:
                    found[key] = str(reply[0])
        return found

    def _keep(self, replies: Mapping[str, str]) -> None:
        with self._open() as connection, connection:
            connection.executemany(
                "INSERT OR REPLACE INTO replies VALUES (?, ?)",
                [(key, _storable(reply)) for key, reply in replies.items()],
            )

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=_PATIENCE)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL)"
                )
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise EvaluationError(
                f"the replies of the judge in {self.path} cannot be used ({error}); delete the "
                "file, or name another: the judge is then asked anew"
            ) from error


def prompt_key(name: str, prompt: str) -> str:
    """Give the SHA-256 of a judge's name and a prompt, as hexadecimal digits."""
    # The length of the name keeps ("ab", "c") and ("a", "bc") apart.
    text = f"{len(name)}:{name}{prompt}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def medevalkit_prompt(item: Item, answer: str) -> str:
    """Ask whether an open answer is right: 0 if it is, 1 if it is not."""
    return (
        "Decide whether an answer to a question is right, given the reference answer. An answer "
        "that means the same as the reference in other words is right.\n\n"
        f"Question: {item.question.text}\n"
        f"Reference answer: {' / '.join(item.references)}\n"
        f"Answer: {answer}\n\n"
        "Think briefly between <think> and </think>. Then write <judge>0</judge> if the answer is "
        "right, or <judge>1</judge> if it is wrong."
    )


def read_medevalkit(reply: str | None) -> float:
    """Read a verdict: 1.0 for right (0), 0.0 for wrong (1), nan if it cannot be read.

    Several verdicts that differ cannot be read.
    """
    if reply is None:
        return float("nan")
    found = set(_VERDICT.findall(reply))
    if not found and (bare := _BARE.fullmatch(reply)):
        found = {bare.group(1)}
    return float(found == {"0"}) if len(found) == 1 else float("nan")


def sure_vqa_scale(item: Item) -> str:
    """Name the scale of an item: "labels" for several references, "closed", else "open"."""
    if item.kind == "choices":
        return "labels"
    return "closed" if item.closed or item.kind in ("yes_no", "choice") else "open"


def sure_vqa_prompt(item: Item, answer: str) -> str:
    """Ask for a rating of an answer on the scale of its item."""
    return (
        f"{_ASKED[sure_vqa_scale(item)]}\n\n"
        f"Question: {item.question.text}\n"
        f"Reference: {', '.join(item.references)}\n"
        f"Answer: {answer}\n\n"
        "Write one sentence of reasons, then on a line of its own: Rating: <number>"
    )


def read_sure_vqa(reply: str | None, item: Item) -> float:
    """Read a rating; nan if there is none, if several differ, or if it is not on the scale."""
    if reply is None:
        return float("nan")
    found = set(_RATING.findall(reply))
    if not found and (bare := _BARE_RATING.fullmatch(reply)):
        found = {bare.group(1)}
    value = float(found.pop()) if len(found) == 1 else float("nan")
    return value if value in _SCALES[sure_vqa_scale(item)] else float("nan")


def rating_share(item: Item, rating: float) -> float:
    """Bring a rating on the scale of its item to [0, 1]; nan stays nan."""
    scale = _SCALES[sure_vqa_scale(item)]
    return (rating - scale[0]) / (scale[-1] - scale[0])


@dataclass(frozen=True, slots=True)
class Ratings:
    """What a judge says of answers.

    Attributes:
        values: one for each answer, on the scale of its item; nan where the reply could not be
            read, which is not left out in silence.
        n_asked: prompts that the judge was given.
        n_unread: replies that could not be read.
    """

    values: tuple[float, ...]
    n_asked: int
    n_unread: int


def sure_vqa_ratings(items: Sequence[Item], answers: Sequence[str], judge: Judge) -> Ratings:
    """Rate answers as SURE-VQA does; one that equals a reference gets the top without asking.

    Raises:
        ValueError: if there are not as many answers as items.
    """
    if len(items) != len(answers):
        raise ValueError(f"{len(answers)} answers for {len(items)} items; give one for each")
    pairs = list(zip(items, answers, strict=True))
    values = [
        _SCALES[sure_vqa_scale(item)][-1] if _equals(item, answer) else float("nan")
        for item, answer in pairs
    ]
    places = [place for place, value in enumerate(values) if value != value]
    prompts = [sure_vqa_prompt(*pairs[place]) for place in places]
    replies = judge.judge(prompts) if prompts else []
    for place, reply in zip(places, replies, strict=True):
        values[place] = read_sure_vqa(reply, pairs[place][0])
    n_unread = sum(value != value for value in values)
    return Ratings(tuple(values), len(prompts), n_unread)


def _equals(item: Item, answer: str) -> bool:
    wanted = (", ".join(item.references),) if item.kind == "choices" else item.references
    return bool(wanted) and exact_match(answer, wanted)


def _storable(reply: str) -> str:
    # SQLite takes no halves of UTF-16 pairs.
    return reply.encode("utf-8", "replace").decode()
