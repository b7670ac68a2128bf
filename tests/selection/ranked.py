"""Rankings of made-up hits, and what every selector must hold."""

from collections.abc import Mapping, Sequence

from medrag.protocols import Selector
from medrag.records import Hit, ImageRef, Kind, Part, Passage, Question, Selection, Source

ASKED = Question("What is gout?", id="q1")


def passage(
    name: str,
    text: str = "words",
    *,
    kind: Kind = "text",
    domain: str | None = None,
    images: int = 0,
) -> Passage:
    source = Source("corpus", "document", "0", domain=domain)
    pictures = tuple(ImageRef(f"{name}-{each}.png") for each in range(images))
    return Passage(name, kind, text, source, pictures)


def ranked(
    scores: Sequence[float], *, parts: Mapping[str, Sequence[float | None]] | None = None
) -> list[Hit]:
    """Hits of these scores in this order; None is a channel that did not find the hit."""
    hits = []
    for place, score in enumerate(scores):
        found = {
            name: Part(1, column[place] or 0.0)
            for name, column in (parts or {}).items()
            if column[place] is not None
        }
        hits.append(Hit(passage(f"p{place}"), score, place + 1, "", found))
    return hits


def shown(passages: Sequence[Passage]) -> list[Hit]:
    """Hits of these passages, with scores 1, 1/2, 1/3, ..."""
    return [Hit(each, 1 / rank, rank) for rank, each in enumerate(passages, start=1)]


def names(hits: Sequence[Hit]) -> list[str]:
    return [hit.passage.id for hit in hits]


def selected(selector: Selector, ranking: Sequence[Hit]) -> Selection:
    """Select, and hold what is promised of every selector: it parts the ranking, in its order."""
    found = selector.select(ASKED, ranking)
    places = {hit.rank: place for place, hit in enumerate(ranking)}
    for part in (found.kept, found.dropped):
        assert [places[hit.rank] for hit in part] == sorted(places[hit.rank] for hit in part)
    assert sorted((*found.kept, *found.dropped), key=lambda hit: hit.rank) == list(ranking)
    assert found.reason
    assert not found.fired or found.dropped
    return found
