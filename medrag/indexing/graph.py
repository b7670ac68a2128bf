"""A channel over terms and facts: what a question names, and what stands near it in the graph."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.errors import IndexFormatError
from medrag.indexing.arrays import mapped
from medrag.indexing.graph_compile import ARRAYS, FORMAT, KINDS_OF
from medrag.indexing.graph_names import LONGEST_NAME, Word, question_keys, words_of
from medrag.language import language_of
from medrag.records import Filter, Question, ScoredRow

_READ_WORDS = 1024
_HOPS = 2
# A step up to the broader concept keeps more of the meaning than one down or aside.
_UP, _DOWN, _ASIDE = 0.5, 0.4, 0.4
# Of a concept with more facts than this, the narrower and the related ones are not followed.
_HUB = 64
_FRONTIER = 512
_AMBIGUOUS = 8
_SYNONYM = 0.95
_CUE_WORD = 0.3
_OTHER_RELATION, _NO_RELATION = 0.4, 0.8
# A fact that one concept of the question stands at: at the end the question speaks of, or not.
_ONE_END, _OTHER_END = 0.85, 0.75
_TERM, _UNASKED_TERM = 0.85, 0.5
_BARE = 0.6

# How people ask for a relation, and words that the names of such relations hold.
_CUES: tuple[tuple[re.Pattern[str], frozenset[str]], ...] = tuple(
    (re.compile(rf"\b(?:{pattern})\b"), frozenset(words.split()))
    for pattern, words in (
        (
            "symptoms?|signs?|manifest(?:s|ations?)?|presents?|presenting|complain(?:s|ts?)?",
            "symptom sign manifestation phenotype finding feature",
        ),
        (
            "where|locat(?:ed?|ion|ions)|sites?|anatomical|arises?|organs?|body parts?|affects?",
            "located location site anatomy anatomical organ affect part",
        ),
        (
            "kinds?|types?|sorts?|forms? of|subtypes?|subclass(?:es)?|class(?:es|ified)?|"
            "categor(?:y|ies)|variet(?:y|ies)|broader|narrower",
            "*kind",
        ),
        ("caus(?:es?|ed)|etiology|aetiology|due to", "cause caused etiology agent basis"),
        (
            "treat(?:s|ed|ments?)?|drugs?|therap(?:y|ies)|medications?",
            "treat treatment therapy drug",
        ),
        ("genes?|genetic|mutations?", "gene genetic mutation"),
    )
)
_CUE_WORDS = frozenset({
    "symptom", "sign", "disease", "disorder", "syndrome", "condition", "location", "site",
    "kind", "type", "form", "finding", "cause", "treatment", "name", "synonym", "definition",
    "patient", "diagnose", "anatomy", "organ", "body", "part",
})  # fmt: skip
# "Symptoms of X" and "a kind of X?" begin at X; "which diseases have X" and "kinds of X" end there.
_ENDS_THERE = re.compile(
    r"\b(?:which|what|name|list) (?:\w+ )?(?:diseases?|disorders?|conditions?|illness(?:es)?|"
    r"tumou?rs?|cancers?|neoplasms?)\b(?! (?:is|are|was)\b)|"
    r"\b(?:kinds|types|sorts|forms|subtypes|variet(?:y|ies)|examples) of\b|\bnarrower\b"
)
_DEFINE = re.compile(
    r"\b(?:synonyms?|called|known as|names? (?:for|of)|define[sd]?|definitions?|meanings?|"
    r"means?|describe[sd]?|stands? for)\b"
)
_CUE_WORD_FORMS = re.compile(
    r"(?:synonym|call|know|name|defin|mean|describ|stand|symptom|sign|manifest|present|complain|"
    r"locat|site|anatom|aris|organ|affect|kind|type|sort|form|subtype|class|categor|variet|broad|"
    r"narrow|caus|etiolog|aetiolog|due|treat|drug|therap|medicat|gene|mutat|disease|disorder|"
    r"syndrome|condition|finding)\w*"
)
# Words that say nothing of what a question is about.
_FILLERS = frozenset({
    "patient", "person", "people", "child", "adult", "show", "tell", "give", "list", "please",
    "typical", "typically", "common", "commonly", "usual", "usually", "main", "medical", "term",
    "word", "different", "another", "first", "find", "get", "know", "suffer", "happen", "occur",
})  # fmt: skip
# A question is about what it names if this share of its words is named or asks about it.
_ABOUT = 0.5


class GraphChannel:
    """Find concepts that a question names, and rank terms and facts by how near they stand.

    A name or synonym is recognised as the longest run of words, in singular or plural;
    abbreviations as they are written. A score, in (0, 1], falls with each step from the concepts
    named, rises where a fact joins two of them or has the relation that is asked for ("symptoms",
    "where", "kind of"), and favours facts of rarer and more special concepts. A question that
    names no concept, or is mostly about something else, gets no ranking: "Is the brain swollen?"
    does not ask for every tumour of the brain.

    Args:
        folder: what `compile_graph` wrote; mapped into memory, read as far as a question needs.
        mask: the rows that a filter allows, a boolean for each row of the index.

    Raises:
        IndexFormatError: if the folder is not a compiled graph.
    """

    def __init__(self, *, folder: Path, mask: Callable[[Filter], NDArray[np.bool_]]) -> None:
        about, arrays = _opened(folder)
        self.mask = mask
        self.relations: list[str] = about["relations"]
        self.n_nodes: int = about["n_nodes"]
        self._arrays = arrays
        kinds = [number for number, name in enumerate(self.relations) if name in KINDS_OF]
        self._is_kind = np.isin(np.arange(len(self.relations)), kinds)
        self._relation_words = [_telling(words_of(name)) for name in self.relations]
        self._deepest = float(max(arrays["node_depths"].max(initial=0), 1))

    def search(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        """Rank the rows of terms and facts; equal scores by ascending row, at most k."""
        return [
            self._ranked(question, k, wanted)
            for question, wanted in zip(questions, filters, strict=True)
        ]

    def _ranked(self, question: Question, k: int, wanted: Filter) -> list[ScoredRow]:
        text = "\n".join((question.text, *question.options))
        words = words_of(text)[:_READ_WORDS]
        mentions = self._mentions(words, lowered=text == text.lower())
        about = _about(words, mentions)
        if about <= _ABOUT:
            return []
        named = np.zeros(self.n_nodes, dtype=np.float32)
        for mention in mentions:
            named[mention.nodes] = np.maximum(named[mention.nodes], mention.weights)
        asked = self._asked(text.lower(), words, mentions)
        rows, scores = self._scored(named, asked)
        scores *= about
        allowed = self.mask(wanted)[rows] if len(rows) else np.zeros(0, dtype=np.bool_)
        rows, scores = rows[allowed], scores[allowed]
        best = np.lexsort((rows, -scores))[:k]
        return [
            ScoredRow(row, score)
            for row, score in zip(rows[best].tolist(), scores[best].tolist(), strict=True)
        ]

    def _mentions(self, words: Sequence[Word], *, lowered: bool) -> list["_Mention"]:
        """Find names in a question, the longest first, none within another."""
        runs = [
            (start, stop)
            for start in range(len(words))
            for stop in range(start + 1, min(start + LONGEST_NAME, len(words)) + 1)
        ]
        keys = [question_keys(words[start:stop], lowered=lowered) for start, stop in runs]
        if not keys:
            return []
        table = np.array(keys, dtype=np.uint64)
        stored = self._arrays["name_keys"]
        left = np.searchsorted(stored, table, side="left")
        right = np.searchsorted(stored, table, side="right")
        found = np.flatnonzero((right > left).any(axis=1))
        mentions: list[_Mention] = []
        taken: set[int] = set()
        for i in sorted(found.tolist(), key=lambda i: (runs[i][0] - runs[i][1], runs[i][0])):
            start, stop = runs[i]
            if taken.isdisjoint(range(start, stop)):
                entries = np.concatenate(
                    [np.arange(a, b) for a, b in zip(left[i], right[i], strict=True)]
                )
                mention = self._mention(entries, words[start:stop], start)
                if mention is not None:
                    mentions.append(mention)
                    taken.update(range(start, stop))
        return mentions

    def _mention(
        self, entries: NDArray[np.int64], words: Sequence[Word], start: int
    ) -> "_Mention | None":
        nodes, first = np.unique(self._arrays["name_nodes"][entries], return_index=True)
        if len(nodes) > _AMBIGUOUS:
            return None
        synonym = self._arrays["name_synonym"][entries][first]
        if not synonym.all():
            # What is called so outdoes what may be called so.
            nodes, synonym = nodes[~synonym], synonym[~synonym]
        weights = np.where(synonym, _SYNONYM, 1.0) / np.sqrt(len(nodes))
        if all(word.compared in _CUE_WORDS for word in words):
            weights = weights * _CUE_WORD
        return _Mention(nodes, weights.astype(np.float32), start, start + len(words))

    def _asked(self, text: str, words: Sequence[Word], mentions: Sequence["_Mention"]) -> "_Asked":
        within = {i for mention in mentions for i in range(mention.start, mention.stop)}
        outside = [word for i, word in enumerate(words) if i not in within]
        targets: set[str] = set()
        for pattern, relation_words in _CUES:
            if pattern.search(text):
                targets |= relation_words
        spoken = _telling(outside) | targets
        relations = np.array(
            [
                bool(about & spoken) or (bool(kind) and "*kind" in targets)
                for about, kind in zip(self._relation_words, self._is_kind, strict=True)
            ],
            dtype=np.bool_,
        )
        return _Asked(relations, bool(_DEFINE.search(text)), bool(_ENDS_THERE.search(text)))

    def _scored(
        self, named: NDArray[np.float32], asked: "_Asked"
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        reach, facts = self._reached(named)
        heads, tails = (self._arrays[f"fact_{end}"][facts] for end in ("heads", "tails"))
        scores = np.maximum(reach[heads], reach[tails]).astype(np.float64)
        joined = (named[heads] > 0) & (named[tails] > 0)
        side = (reach[tails] >= reach[heads]) == asked.ends_there
        scores *= np.where(joined, 1.0, np.where(side, _ONE_END, _OTHER_END))
        if asked.relations.any():
            matching = asked.relations[self._arrays["fact_relations"][facts]]
            other = np.where(joined, _NO_RELATION, _OTHER_RELATION)
            scores *= np.where(matching, 1.0, other)
        else:
            scores *= np.where(joined, 1.0, _NO_RELATION)
        scores *= self._special(np.where(reach[heads] >= reach[tails], tails, heads))
        nodes = np.flatnonzero(reach)
        starts, rows = self._arrays["term_starts"], self._arrays["term_rows"]
        spans = [np.arange(starts[node], starts[node + 1]) for node in nodes]
        places = np.concatenate([np.zeros(0, dtype=np.int64), *spans])
        owners = np.repeat(nodes, [len(span) for span in spans])
        plain = asked.definition or not asked.relations.any()
        of_terms = reach[owners] * (_TERM if plain else _UNASKED_TERM) * self._special(owners)
        of_terms *= np.where(self._arrays["term_bare"][places], _BARE, 1.0)
        return (
            np.concatenate([self._arrays["fact_rows"][facts], rows[places]]).astype(np.int64),
            np.concatenate([scores, of_terms.astype(np.float64)]),
        )

    def _reached(self, named: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Walk away from the concepts named: how far each is reached, and the facts on the way."""
        reach = named.copy()
        frontier = np.flatnonzero(named)
        walked = np.zeros(0, dtype=np.int64)
        for hop in range(_HOPS + 1):
            frontier = frontier[np.lexsort((frontier, -reach[frontier]))][:_FRONTIER]
            nodes, facts = self._facts_of(frontier, all_of=hop == 0)
            walked = np.union1d(walked, facts)
            if hop == _HOPS:
                break
            heads = self._arrays["fact_heads"][facts]
            tails = self._arrays["fact_tails"][facts]
            up = heads == nodes
            others = np.where(up, tails, heads)
            is_kind = self._is_kind[self._arrays["fact_relations"][facts]]
            step = np.where(is_kind, np.where(up, _UP, _DOWN), _ASIDE)
            narrow = up & is_kind
            open_ = narrow | (self._degrees(nodes) <= _HUB)
            arriving = np.where(open_, reach[nodes] * step, 0.0).astype(np.float32)
            before = reach[others]
            np.maximum.at(reach, others, arriving)
            frontier = np.unique(others[reach[others] > before])
        return reach, walked

    def _facts_of(
        self, nodes: NDArray[np.int64], *, all_of: bool
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give (node, fact) for every fact of nodes; of hubs only if `all_of`."""
        if not all_of:
            nodes = nodes[self._degrees(nodes) <= _HUB]
        starts = self._arrays["node_starts"]
        spans = [np.arange(starts[node], starts[node + 1]) for node in nodes]
        places = np.concatenate([np.zeros(0, dtype=np.int64), *spans])
        owners = np.repeat(nodes, [len(span) for span in spans])
        return owners, self._arrays["node_facts"][places].astype(np.int64)

    def _degrees(self, nodes: NDArray[np.int64]) -> NDArray[np.int64]:
        starts = self._arrays["node_starts"]
        degrees: NDArray[np.int64] = starts[nodes + 1] - starts[nodes]
        return degrees

    def _special(self, nodes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Rate how rare and how deep concepts are, in (0.8, 1]."""
        rare = 1.0 / (1.0 + np.log1p(self._degrees(nodes)))
        deep = self._arrays["node_depths"][nodes] / self._deepest
        rated: NDArray[np.float64] = 0.8 + 0.15 * rare + 0.05 * deep
        return rated


class _Mention(NamedTuple):
    nodes: NDArray[np.int32]
    weights: NDArray[np.float32]
    start: int
    stop: int


class _Asked(NamedTuple):
    """What a question asks for.

    `definition`: what something is or is called; `ends_there`: facts whose tail is named.
    """

    relations: NDArray[np.bool_]
    definition: bool
    ends_there: bool


def _about(words: Sequence[Word], mentions: Sequence[_Mention]) -> float:
    """Give the share of a question's telling words that are named or ask for something named."""
    if not mentions:
        return 0.0
    within = {i for mention in mentions for i in range(mention.start, mention.stop)}
    stop = language_of("en").stop_words
    n_named = n_cues = n_others = 0
    for i, word in enumerate(words):
        lowered = word.written.lower().removesuffix("'s")
        if i in within:
            n_named += 1
        elif lowered in stop or word.compared in _FILLERS or len(lowered) < 2:
            continue
        elif _CUE_WORD_FORMS.fullmatch(lowered):
            n_cues += 1
        else:
            n_others += 1
    return (n_named + n_cues) / (n_named + n_cues + n_others)


def _telling(words: Sequence[Word]) -> frozenset[str]:
    stop = language_of("en").stop_words
    return frozenset(word.compared for word in words if word.written.lower() not in stop)


def _opened(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        about = json.loads((folder / "graph.json").read_text(encoding="utf-8"))
        if about["format"] != FORMAT:
            raise ValueError(f"format {about['format']}, expected {FORMAT}")
        return about, {name: mapped(folder / f"{name}.npy") for name in ARRAYS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IndexFormatError(
            f"{folder} is not a compiled graph ({error}); build the index again, which renews it"
        ) from error
