"""What a report says: observations with their labels, and facts, from fields or from its words."""

import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

from medrag.language import mention, sentences, stems
from medrag.records import Passage
from medrag.retrieval.history.regions import seen

Label = Literal["positive", "negative", "uncertain"]
Fact = tuple[str, str, str]

# CheXbert's observations, "No Finding" left out: it is the absence of the others. The words are
# those of CheXpert's public lists of mentions, shortened.
OBSERVATIONS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "enlarged cardiomediastinum": (
        "enlarged cardiomediastinum", "widened mediastinum", "mediastinal widening",
        "widening of the mediastinum", "cardiomediastinal enlargement",
    ),
    "cardiomegaly": (
        "cardiomegaly", "enlarged heart", "cardiac enlargement", "enlarged cardiac silhouette",
        "heart is enlarged", "heart size is enlarged", "enlargement of the cardiac silhouette",
        "cardiac silhouette is enlarged",
    ),
    "lung opacity": (
        "opacity", "opacification", "infiltrate", "infiltration", "airspace disease",
        "interstitial markings", "reticular markings", "scarring",
    ),
    "lung lesion": ("nodule", "mass", "lesion", "granuloma", "tumor", "neoplasm", "metastasis"),
    "edema": ("edema", "pulmonary congestion", "vascular congestion", "fluid overload"),
    "consolidation": ("consolidation",),
    "pneumonia": ("pneumonia", "infection"),
    "atelectasis": ("atelectasis", "collapse", "volume loss"),
    "pneumothorax": ("pneumothorax", "pneumothoraces"),
    "pleural effusion": ("pleural effusion", "effusion", "pleural fluid"),
    "pleural other": ("pleural thickening", "fibrothorax", "pleural plaque", "pleural scar"),
    "fracture": ("fracture",),
    "support devices": (
        "pacemaker", "catheter", "endotracheal tube", "chest tube", "sternotomy wires", "stent",
        "nasogastric tube", "drain", "picc line", "central line", "prosthetic valve",
    ),
})  # fmt: skip
_PLACES = (
    "left", "right", "bilateral", "upper", "lower", "middle", "basilar", "apical", "base", "apex",
    "lingula", "perihilar", "retrocardiac", "rib", "spine",
)  # fmt: skip
_PLACE = re.compile(r"\b(?:" + "|".join(_PLACES) + r")\b", re.IGNORECASE)
_KEPT = 4096


class Findings(NamedTuple):
    """What one report says.

    Attributes:
        present: observations that it affirms, or leaves uncertain.
        worded: facts that were read from its words: head, relation, tail, in lower case.
        given: facts that came with the report; None where none did.
    """

    present: frozenset[str]
    worded: frozenset[Fact]
    given: frozenset[Fact] | None = None


class Labeller(Protocol):
    """Tell what a report says of observations; those that it does not name are left out."""

    def labels(self, text: str) -> Mapping[str, Label]: ...


class WordLabeller:
    """Tell by words and negation which of CheXbert's observations a report affirms.

    An observation of which any sentence affirms a word is "positive"; one of which all deny it is
    "negative". Hedged findings are affirmed: "uncertain" never comes.
    """

    def labels(self, text: str) -> Mapping[str, Label]:
        return {
            name: "positive" if affirmed else "negative" for name, affirmed in _said(text).items()
        }


def findings_of(
    passage: Passage, labeller: Labeller, extracted: Mapping[str, Collection[Fact]]
) -> Findings:
    """Read what the passage of a report says.

    Its fields come first: "labels", a mapping of observations to CheXbert's numbers (1 positive,
    0 negative, -1 uncertain, null not named) or names; and "facts", a list of [head, relation,
    tail] as RadGraph's entities and relations, or of mappings with these keys. Of its words, those
    that say what was seen count (`seen`): an indication says what was asked.

    Args:
        labeller: tells the observations where they are no field.
        extracted: facts by study, for reports without such a field.
    """
    labels, facts = passage.fields.get("labels"), passage.fields.get("facts")
    read = findings_in("\n".join(seen(passage)), labeller)
    given: frozenset[Fact] | None = None
    if isinstance(facts, list | tuple):
        given = facts_of(facts)
    elif passage.source.study in extracted:
        given = frozenset(extracted[passage.source.study or ""])
    present = _present(labels) if isinstance(labels, Mapping) else read.present
    return Findings(present, read.worded, given)


def findings_in(text: str, labeller: Labeller) -> Findings:
    """Read what a text says: its observations, and facts made of words."""
    present = {name for name, label in labeller.labels(text).items() if label != "negative"}
    return Findings(frozenset(present), _worded_facts(text))


def facts_of(facts: Iterable[object]) -> frozenset[Fact]:
    """Take the facts that have a head, a relation and a tail; in lower case."""
    found: set[Fact] = set()
    for fact in facts:
        parts = (
            [fact.get(key) for key in ("head", "relation", "tail")]
            if isinstance(fact, Mapping)
            else list(fact)
            if isinstance(fact, list | tuple)
            else []
        )
        if len(parts) == 3 and all(isinstance(part, str) for part in parts):
            head, relation, tail = (" ".join(str(part).lower().split()) for part in parts)
            found.add((head, relation, tail))
    return frozenset(found)


def overlap(one: Collection[object], two: Collection[object]) -> float:
    """Compute F1 of two sets: twice what they share by what both hold; 1 if both are empty."""
    if not one and not two:
        return 1.0
    return 2 * len(set(one) & set(two)) / (len(one) + len(two))


@lru_cache(maxsize=_KEPT)
def _said(text: str) -> Mapping[str, bool]:
    """Tell of each observation that a text names whether any sentence affirms it."""
    said: dict[str, bool] = {}
    for start, end in sentences(text):
        for name, affirmed in _of_sentence(text[start:end]).items():
            said[name] = said.get(name, False) or affirmed
    return MappingProxyType(said)


@lru_cache(maxsize=_KEPT)
def _worded_facts(text: str) -> frozenset[Fact]:
    """Say each observation of a sentence as present or absent, and where the sentence puts it."""
    facts: set[Fact] = set()
    for start, end in sentences(text):
        sentence = text[start:end]
        places = {match.group().lower() for match in _PLACE.finditer(sentence)}
        for name, affirmed in _of_sentence(sentence).items():
            facts.add((name, "is", "present" if affirmed else "absent"))
            if affirmed:
                facts |= {(name, "located at", place) for place in places}
    return frozenset(facts)


def _of_sentence(sentence: str) -> dict[str, bool]:
    held, found = frozenset(stems(sentence)), dict[str, bool]()
    for name, words in OBSERVATIONS.items():
        said = {mention(sentence, word) for word in words if _stems(word) <= held} - {"absent"}
        if said:
            found[name] = "affirmed" in said
    return found


@cache
def _stems(word: str) -> frozenset[str]:
    return frozenset(stems(word))


def _present(labels: Mapping[str, object]) -> frozenset[str]:
    """Take positive and uncertain observations, as the F1 of CheXbert counts them."""
    return frozenset(
        name.strip().lower()
        for name, value in labels.items()
        if value in (1, -1, "positive", "uncertain") and name.strip().lower() != "no finding"
    )
