"""What an index answers, so that two can be compared."""

from pathlib import Path

from medrag.indexing.dense import DenseChannel
from medrag.indexing.lexical import LexicalChannel
from medrag.indexing.storage import open_store
from medrag.records import Filter, Question
from tests.indexing.library import WordEncoder

QUESTIONS = [Question(text=text) for text in ("effusion of the lung", "cell", "white matter")]


def found(folder: Path) -> list[object]:
    """List ids, and rankings of every channel by id, so that two indexes can be compared."""
    store = open_store(folder)
    channels = [LexicalChannel(store=store)]
    if "words" in store.manifest.channels:
        words = DenseChannel(store=store, name="words", encoder=WordEncoder(), side="text")
        channels.append(words)  # type: ignore[arg-type]
    rankings = []
    for channel in channels:
        for ranking in channel.search(QUESTIONS, 5, [Filter()] * len(QUESTIONS)):
            passages = store.passages_at([hit.row for hit in ranking])
            rankings.append([(p.id, h.score) for p, h in zip(passages, ranking, strict=True)])
    return [[passage.id for passage in store.passages], rankings]


def texts(folder: Path) -> list[str]:
    return [passage.text for passage in open_store(folder).passages]
