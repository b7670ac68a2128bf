"""The frozen values that flow through medrag, from the source of a passage to an answer.

Conventions that hold for every record:

- A page counts from 1. A box is (x0, y0, x1, y1) with the origin at the top left: points of the
  displayed page (after rotation and crop box) for a PDF, pixels for an image.
- A path in a stored record is relative to the root of its corpus and written with "/"; a path in a
  question is absolute. `medrag.images.resolved` turns the first into the second.
- A subject or a study is never the identifier of a file, but its keyed hash (`medrag.identity`).
- A time is an ISO 8601 text, so that comparing texts orders times; of two that are written more or
  less exactly, `medrag.records.times.earlier` tells whether one is certainly before the other.
- A score is higher when better; a rank counts from 1; None means absent.
"""

from medrag.records.answers import (
    Answer,
    Citation,
    Claim,
    Exchange,
    Generation,
    Omission,
    Prompt,
    Quantity,
    Support,
    ToolResult,
    Usage,
)
from medrag.records.items import AnswerKind, Item
from medrag.records.questions import Filter, Question, QuestionRegion, Turn
from medrag.records.rankings import Embeddings, Hit, Part, ScoredRow, Selection, SparseEmbeddings
from medrag.records.retrieved import Retrieved, Routing
from medrag.records.sources import (
    KINDS,
    OF_ANOTHER_PATIENT,
    PICTURED,
    Box,
    Corpus,
    ImageRef,
    Kind,
    Passage,
    Region,
    Skipped,
    Source,
    is_of_a_patient,
    passage_id,
)

__all__ = [
    "KINDS",
    "OF_ANOTHER_PATIENT",
    "PICTURED",
    "Answer",
    "AnswerKind",
    "Box",
    "Citation",
    "Claim",
    "Corpus",
    "Embeddings",
    "Exchange",
    "Filter",
    "Generation",
    "Hit",
    "ImageRef",
    "Item",
    "Kind",
    "Omission",
    "Part",
    "Passage",
    "Prompt",
    "Quantity",
    "Question",
    "QuestionRegion",
    "Region",
    "Retrieved",
    "Routing",
    "ScoredRow",
    "Selection",
    "Skipped",
    "Source",
    "SparseEmbeddings",
    "Support",
    "ToolResult",
    "Turn",
    "Usage",
    "is_of_a_patient",
    "passage_id",
]
