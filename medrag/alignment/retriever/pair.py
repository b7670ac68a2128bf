"""What a retriever is tuned on: what is asked with, and what is to be found."""

from dataclasses import dataclass, field
from typing import NamedTuple

from medrag.records import ImageRef

Side = str | ImageRef


class Triple(NamedTuple):
    """A statement of a report, such as ("opacity", "located at", "left lung")."""

    head: str
    relation: str
    tail: str


@dataclass(frozen=True, slots=True)
class RetrieverPair:
    """A query and a passage that answers it: a picture and its text, or two texts.

    Of a picture and a text either may be the query: image-text losses look both ways, and models
    of pages are asked with the text.

    Attributes:
        query: a picture or a text.
        passage: a text or a picture.
        subject, study: hashed, as passages have them.
        group: what must not stand on both sides of a split beside subject, study and picture, such
            as a chapter or a case.
        domain: such as "radiology".
        labels: what a labeller found, such as {"effusion", "no pneumothorax"}.
        triples: what was drawn from the text.
    """

    id: str
    query: Side
    passage: Side
    subject: str | None = None
    study: str | None = None
    group: str | None = None
    domain: str | None = None
    labels: frozenset[str] | None = None
    triples: frozenset[Triple] = field(default_factory=frozenset)
