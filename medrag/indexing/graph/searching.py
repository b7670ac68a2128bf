"""A channel over terms and facts: what a question names, and what stands near it in the graph."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.errors import IndexFormatError
from medrag.indexing.arrays import mapped
from medrag.indexing.commands import repair
from medrag.indexing.graph.asking import KIND, Asked, asked_for, share_about, telling
from medrag.indexing.graph.compiling import ARRAYS, FORMAT, KINDS_OF
from medrag.indexing.graph.mentions import find_mentions
from medrag.indexing.graph.names import words_of
from medrag.indexing.ranking import top
from medrag.records import Filter, Question, ScoredRow

Nodes = NDArray[np.int64]
Scores = NDArray[np.float64]
Reach = NDArray[np.float32]

_READ_WORDS = 1024
# A question is about what it names if more than this share of its words is named or asks about it.
_ABOUT = 0.5
_HOPS = 2
# A step up to the broader concept keeps more of the meaning than one down or aside.
_UP, _DOWN, _ASIDE = 0.5, 0.4, 0.4
# Of a concept with more facts than this, the narrower and the related ones are not followed.
_HUB = 64
_FRONTIER = 512
_OTHER_RELATION, _NO_RELATION = 0.4, 0.8
# A fact that one concept of the question stands at: at the end the question speaks of, or not.
_ONE_END, _OTHER_END = 0.85, 0.75
_TERM, _UNASKED_TERM = 0.85, 0.5
_BARE = 0.6


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
        self.folder = folder
        about, self._arrays = _opened(folder)
        relations: list[str] = about["relations"]
        self.mask = mask
        self._n_nodes: int = about["n_nodes"]
        self._is_kind = np.array([name in KINDS_OF for name in relations], dtype=np.bool_)
        self._relation_words = [
            telling(words_of(name)) | ({KIND} if name in KINDS_OF else set()) for name in relations
        ]
        self._deepest = float(max(self._arrays["node_depths"].max(initial=0), 1))

    def search(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        """Rank the rows of terms and facts; equal scores by ascending row, at most k.

        Raises:
            IndexFormatError: if the graph holds numbers that stand for nothing.
        """
        try:
            return [
                self._ranked(question, k, wanted)
                for question, wanted in zip(questions, filters, strict=True)
            ]
        except (IndexError, MemoryError) as error:
            raise _broken(self.folder, error) from error

    def _ranked(self, question: Question, k: int, wanted: Filter) -> list[ScoredRow]:
        text = "\n".join((question.text, *question.options))
        words = words_of(text)[:_READ_WORDS]
        mentions = find_mentions(words, self._arrays, lowered=text == text.lower())
        named = {number for each in mentions for number in each.words}
        about = share_about(words, named)
        if about <= _ABOUT:
            return []
        meant = np.zeros(self._n_nodes, dtype=np.float32)
        for each in mentions:
            meant[each.nodes] = np.maximum(meant[each.nodes], each.weights)
        rows, scores = self._scored(meant, asked_for(text.lower(), words, named))
        allowed = self.mask(wanted)[rows] if len(rows) else np.zeros(0, dtype=np.bool_)
        return top(rows[allowed], scores[allowed] * about, k)

    def _scored(self, meant: Reach, asked: Asked) -> tuple[Nodes, Scores]:
        """Score the rows of facts and terms that can be reached from what is meant."""
        reach, facts = self._reached(meant)
        relations = np.array(
            [not words.isdisjoint(asked.words) for words in self._relation_words], dtype=np.bool_
        )
        plain = asked.definition or not relations.any()
        owners, places = _entries(self._arrays["term_starts"], np.flatnonzero(reach))
        terms = reach[owners] * (_TERM if plain else _UNASKED_TERM) * self._special(owners)
        terms *= np.where(self._arrays["term_bare"][places], _BARE, 1.0)
        rows = self._arrays["fact_rows"][facts], self._arrays["term_rows"][places]
        scores = self._fact_scores(facts, meant, reach, relations, asked.ends_there), terms
        return np.concatenate(rows).astype(np.int64), np.concatenate(scores).astype(np.float64)

    def _fact_scores(
        self,
        facts: Nodes,
        meant: Reach,
        reach: Reach,
        relations: NDArray[np.bool_],
        ends_there: bool,
    ) -> Scores:
        heads, tails = (self._arrays[f"fact_{end}"][facts] for end in ("heads", "tails"))
        scores: Scores = np.maximum(reach[heads], reach[tails]).astype(np.float64)
        joined = (meant[heads] > 0) & (meant[tails] > 0)
        side = (reach[tails] >= reach[heads]) == ends_there
        scores *= np.where(joined, 1.0, np.where(side, _ONE_END, _OTHER_END))
        if relations.any():
            matching = relations[self._arrays["fact_relations"][facts]]
            other = np.where(joined, _NO_RELATION, _OTHER_RELATION)
            scores *= np.where(matching, 1.0, other)
        else:
            scores *= np.where(joined, 1.0, _NO_RELATION)
        scores *= self._special(np.where(reach[heads] >= reach[tails], tails, heads))
        return scores

    def _reached(self, meant: Reach) -> tuple[Reach, Nodes]:
        """Walk away from the concepts meant: how far each is reached, and the facts on the way."""
        reach = meant.copy()
        frontier = np.flatnonzero(meant)
        walked = np.zeros(0, dtype=np.int64)
        for hop in range(_HOPS + 1):
            frontier = frontier[np.lexsort((frontier, -reach[frontier]))][:_FRONTIER]
            if hop:
                frontier = frontier[self._degrees(frontier) <= _HUB]
            nodes, places = _entries(self._arrays["node_starts"], frontier)
            facts = self._arrays["node_facts"][places].astype(np.int64)
            walked = np.union1d(walked, facts)
            if hop == _HOPS:
                break
            heads = self._arrays["fact_heads"][facts]
            up = heads == nodes
            others = np.where(up, self._arrays["fact_tails"][facts], heads)
            is_kind = self._is_kind[self._arrays["fact_relations"][facts]]
            step = np.where(is_kind, np.where(up, _UP, _DOWN), _ASIDE)
            followed = (up & is_kind) | (self._degrees(nodes) <= _HUB)
            arriving = np.where(followed, reach[nodes] * step, 0.0).astype(np.float32)
            before = reach[others]
            np.maximum.at(reach, others, arriving)
            frontier = np.unique(others[reach[others] > before])
        return reach, walked

    def _degrees(self, nodes: Nodes) -> Nodes:
        starts = self._arrays["node_starts"]
        degrees: Nodes = starts[nodes + 1] - starts[nodes]
        return degrees

    def _special(self, nodes: Nodes) -> Scores:
        """Rate how rare and how deep concepts are, in (0.8, 1]."""
        rare = 1.0 / (1.0 + np.log1p(self._degrees(nodes)))
        deep = self._arrays["node_depths"][nodes] / self._deepest
        rated: Scores = 0.8 + 0.15 * rare + 0.05 * deep
        return rated


def _entries(starts: Nodes, nodes: Nodes) -> tuple[Nodes, Nodes]:
    """List the entries of nodes: whose each is, and its place; `starts` says where they begin."""
    spans = [np.arange(starts[node], starts[node + 1]) for node in nodes]
    places = np.concatenate([np.zeros(0, dtype=np.int64), *spans])
    return np.repeat(nodes, [len(span) for span in spans]), places


def _opened(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        about = json.loads((folder / "graph.json").read_text(encoding="utf-8"))
        if about["format"] != FORMAT:
            raise ValueError(f"format {about['format']}, expected {FORMAT}")
        about = {"n_nodes": int(about["n_nodes"]), "relations": list(about["relations"])}
        return about, {name: mapped(folder / f"{name}.npy") for name in ARRAYS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _broken(folder, error) from error


def _broken(folder: Path, error: Exception) -> IndexFormatError:
    return IndexFormatError(
        f"{folder} is not a compiled graph ({error}); make it anew: {repair(folder)}"
    )
