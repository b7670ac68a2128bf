"""A channel over terms and facts: what a question names, and what stands near it in the graph."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.graph.asking import KIND, Asked, asked_for, share_about, telling
from medrag.indexing.graph.compiling import KINDS_OF
from medrag.indexing.graph.mentions import DENIED, READ_WORDS, Mention, find_mentions
from medrag.indexing.graph.names import words_of
from medrag.indexing.graph.opened import Nodes, degrees, entries, open_graph, text_of, told
from medrag.indexing.graph.pagerank import Walk
from medrag.indexing.graph.paths import FactPath, paths_between
from medrag.indexing.graph.reaching import Ranking, Reach, ranked, reached, walk_of
from medrag.indexing.ranking import top
from medrag.records import Filter, Question, ScoredRow

Scores = NDArray[np.float64]

# A question is about what it names if more than this share of its words is named or asks about it;
# less is enough for what the graph describes, such as a disease, than for a symptom or a place.
_ABOUT, _ABOUT_DESCRIBED = 0.5, 0.2
_OTHER_RELATION, _NO_RELATION = 0.4, 0.8
# A fact that one concept of the question stands at: at the end the question speaks of, or not.
_ONE_END, _OTHER_END = 0.85, 0.75
_TERM, _UNASKED_TERM = 0.85, 0.5
# A term that lists what is asked for stands behind its facts, and before all others.
_LISTING = 0.67
_BARE = 0.6
# What a fact on a path between concepts of a question is worth beside one that joins them; less
# where a relation is asked for.
_ON_PATH, _ASKED_ON_PATH = 0.95, 0.6
_HOPS = 3


@dataclass(frozen=True, slots=True)
class Concept:
    """A node of the graph: its number, id ("" without one), name, and rows of its terms."""

    node: int
    id: str
    name: str
    rows: tuple[int, ...]
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class RowPath:
    """Concepts from one end of a path to the other, and the rows of the facts between them."""

    concepts: tuple[Concept, ...]
    rows: tuple[int, ...]
    score: float


class GraphChannel:
    """Find concepts that a question names, and rank terms and facts by how near they stand.

    A name or synonym is recognised as the longest run of words, in singular or plural, in American
    or British spelling, with other hyphens, in another order, as an adjective, or mistyped by a
    letter or two; abbreviations as they are written, by initials, or as the question defines them.
    A score, in (0, 1], falls with each step from the concepts named, rises where a fact joins two
    of them, lies on a path between them, or has the relation that is asked for ("symptoms",
    "where", "kind of"), and favours facts of rarer and more special concepts. What a question
    denies hardly counts. A question that names no concept, or is mostly about something else, gets
    no ranking: "Is the brain swollen?" does not ask for every tumour of the brain.

    Args:
        folder: what `compile_graph` wrote; mapped into memory, read as far as a question needs.
        mask: the rows that a filter allows, a boolean for each row of the index.
        rank: how near a concept is: "near" by steps, or by personalised "pagerank".
        damping: of PageRank, in [0, 1).
        typos: recognise names that are mistyped.

    Raises:
        IndexFormatError: if the folder is not a compiled graph.
        ValueError: if damping is out of range.
    """

    def __init__(
        self,
        *,
        folder: Path,
        mask: Callable[[Filter], NDArray[np.bool_]],
        rank: Ranking = "near",
        damping: float = 0.85,
        typos: bool = True,
    ) -> None:
        if rank not in ("near", "pagerank"):
            raise ValueError(f"rank must be 'near' or 'pagerank', got {rank!r}")
        if not 0 <= damping < 1:
            raise ValueError(f"damping must be in [0, 1), got {damping}")
        self.folder = folder
        self.mask = mask
        self.rank = rank
        self.damping = damping
        self.typos = typos
        self._graph = open_graph(folder)
        self._relation_words = [
            telling(words_of(name)) | ({KIND} if name in KINDS_OF else set())
            for name in self._graph.relations
        ]
        self._deepest = float(max(self._graph.arrays["node_depths"].max(initial=0), 1))

    def search(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        """Rank the rows of terms and facts; equal scores by ascending row, at most k.

        Raises:
            IndexFormatError: if the graph holds numbers that stand for nothing.
        """
        asked = list(zip(questions, filters, strict=True))
        with told(self.folder):
            return [self._ranked(question, k, wanted) for question, wanted in asked]

    def link(self, text: str) -> list[Mention]:
        """Find the concepts that a text names, in its order; no two mentions overlap.

        Raises:
            IndexFormatError: as for `search`.
        """
        with told(self.folder):
            return find_mentions(text, self._graph.arrays, typos=self.typos)

    def concepts(self, nodes: Sequence[int]) -> list[Concept]:
        """Describe nodes, in the order asked.

        Raises:
            IndexFormatError: as for `search`, or if there is no such node.
        """
        with told(self.folder):
            return [self._concept(int(node)) for node in nodes]

    def expand(self, text: str, k: int = 10) -> list[Concept]:
        """Give the concepts that a text names and those nearest to them, best first."""
        meant = self._meant(self.link(text))
        if not meant.any():
            return []
        with told(self.folder):
            reach, _ = self._near(meant)
            near = np.flatnonzero(reach)
            scores = reach[near] * self._special(near)
        best = np.lexsort((near, -scores))[:k]
        return [
            self._concept(node, score)
            for node, score in zip(near[best].tolist(), scores[best].tolist(), strict=True)
        ]

    def paths(self, text: str, *, hops: int = _HOPS, k: int = 10) -> list[RowPath]:
        """Find the shortest paths between the concepts that a text names, best first.

        Raises:
            ValueError: if hops is below 1.
        """
        if hops < 1:
            raise ValueError(f"hops must be at least 1, got {hops}")
        mentions = self.link(text)
        with told(self.folder):
            found = self._paths(mentions, hops)[:k]
            rows = [self._graph.arrays["fact_rows"][list(path.facts)].tolist() for path in found]
        return [
            RowPath(tuple(self.concepts(path.nodes)), tuple(each), path.score)
            for path, each in zip(found, rows, strict=True)
        ]

    def _ranked(self, question: Question, k: int, wanted: Filter) -> list[ScoredRow]:
        text = "\n".join((question.text, *question.options))
        words = words_of(text)[:READ_WORDS]
        mentions = self.link(text)
        named = {number for each in mentions for number in each.words}
        about = share_about(words, named)
        if about <= (_ABOUT_DESCRIBED if self._describes(mentions) else _ABOUT):
            return []
        rows, scores = self._scored(mentions, asked_for(text.lower(), words, named))
        allowed = self.mask(wanted)[rows] if len(rows) else np.zeros(0, dtype=np.bool_)
        return top(rows[allowed], scores[allowed] * np.sqrt(about), k)

    def _describes(self, mentions: Sequence[Mention]) -> bool:
        """Tell whether any fact begins at a concept that is named and not denied."""
        sure = [m.nodes for m in mentions if not m.negated and m.way != "initials"]
        nodes = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *sure]))
        owners, places = entries(self._graph.arrays["node_starts"], nodes)
        facts = self._graph.arrays["node_facts"][places]
        return bool((self._graph.arrays["fact_heads"][facts] == owners).any())

    def _meant(self, mentions: Sequence[Mention]) -> Reach:
        meant = np.zeros(self._graph.n_nodes, dtype=np.float32)
        # "Isn't fever a symptom of measles?" asks for both all the same.
        raised = 1 / DENIED if all(each.negated for each in mentions) else 1.0
        for each in mentions:
            meant[each.nodes] = np.maximum(meant[each.nodes], each.weights * np.float32(raised))
        return meant

    def _near(self, meant: Reach) -> tuple[Reach, Nodes]:
        if self.rank == "pagerank":
            return ranked(meant, self._graph, self._walk, self.damping)
        return reached(meant, self._graph)

    @cached_property
    def _walk(self) -> Walk:
        return walk_of(self._graph)

    def _scored(self, mentions: Sequence[Mention], asked: Asked) -> tuple[Nodes, Scores]:
        """Score the rows of facts and terms that can be reached from what is meant."""
        arrays = self._graph.arrays
        meant = self._meant(mentions)
        reach, facts = self._near(meant)
        paths = self._paths(mentions, _HOPS)
        facts = np.union1d(facts, [fact for path in paths for fact in path.facts]).astype(np.int64)
        relations = np.array(
            [not words.isdisjoint(asked.words) for words in self._relation_words], dtype=np.bool_
        )
        plain = asked.definition or not relations.any()
        owners, places = entries(arrays["term_starts"], np.flatnonzero(reach))
        terms = reach[owners] * (_TERM if plain else _UNASKED_TERM) * self._special(owners)
        terms *= np.where(arrays["term_bare"][places], _BARE, 1.0)
        wanted = np.uint64(sum(1 << int(n) for n in np.flatnonzero(relations[:64])))
        listing = (arrays["term_lists"][places] & wanted) > 0
        terms = np.where(listing, np.maximum(terms, reach[owners] * _LISTING), terms)
        denied = self._denied(mentions)
        joining = np.where(denied, 0, meant)
        scores = self._fact_scores(facts, joining, reach, relations, asked.ends_there)
        ends = (arrays["fact_heads"][facts], arrays["fact_tails"][facts])
        scores *= np.where(denied[ends[0]] | denied[ends[1]], _OTHER_RELATION, 1.0)
        on_path = _ASKED_ON_PATH if relations.any() else _ON_PATH
        for path in paths:
            on = np.searchsorted(facts, path.facts)
            scores[on] = np.maximum(scores[on], path.score * on_path)
        rows = arrays["fact_rows"][facts], arrays["term_rows"][places]
        return np.concatenate(rows).astype(np.int64), np.concatenate([scores, terms])

    def _denied(self, mentions: Sequence[Mention]) -> NDArray[np.bool_]:
        """Mark the concepts that a question denies, if it names any that it does not."""
        denied = np.zeros(self._graph.n_nodes, dtype=np.bool_)
        affirmed = [each.nodes for each in mentions if not each.negated]
        for each in mentions if affirmed else ():
            denied[each.nodes] = each.negated
        for nodes in affirmed:
            denied[nodes] = False
        return denied

    def _fact_scores(
        self,
        facts: Nodes,
        meant: Reach,
        reach: Reach,
        relations: NDArray[np.bool_],
        ends_there: bool,
    ) -> Scores:
        heads, tails = (self._graph.arrays[f"fact_{end}"][facts] for end in ("heads", "tails"))
        scores: Scores = np.maximum(reach[heads], reach[tails]).astype(np.float64)
        joined = (meant[heads] > 0) & (meant[tails] > 0)
        side = (reach[tails] >= reach[heads]) == ends_there
        scores *= np.where(joined, 1.0, np.where(side, _ONE_END, _OTHER_END))
        if relations.any():
            matching = relations[self._graph.arrays["fact_relations"][facts]]
            other = np.where(joined, _NO_RELATION, _OTHER_RELATION)
            scores *= np.where(matching, 1.0, other)
        else:
            scores *= np.where(joined, 1.0, _NO_RELATION)
        scores *= self._special(np.where(reach[heads] >= reach[tails], tails, heads))
        return scores

    def _paths(self, mentions: Sequence[Mention], hops: int) -> list[FactPath]:
        """Find paths between concepts of different mentions that the text does not deny."""
        meant = {
            int(node): float(weight)
            for each in mentions
            if not each.negated
            for node, weight in zip(each.nodes, each.weights, strict=True)
        }
        named = {
            int(node): number
            for number, each in enumerate(mentions)
            if not each.negated
            for node in each.nodes
        }
        ordered = sorted(meant, key=lambda node: (-meant[node], node))
        if len(ordered) < 2:
            return []
        weights = [meant[node] for node in ordered]
        found = paths_between(ordered, self._graph, hops=hops, weights=weights)
        return [each for each in found if named[each.nodes[0]] != named[each.nodes[-1]]]

    def _concept(self, node: int, score: float = 1.0) -> Concept:
        starts, rows = (self._graph.arrays[f"term_{name}"] for name in ("starts", "rows"))
        return Concept(
            node,
            text_of(self._graph, "id", node),
            text_of(self._graph, "label", node),
            tuple(rows[starts[node] : starts[node + 1]].tolist()),
            float(score),
        )

    def _special(self, nodes: Nodes) -> Scores:
        """Rate how rare and how deep concepts are, in (0.8, 1]."""
        rare = 1.0 / (1.0 + np.log1p(degrees(self._graph, nodes)))
        deep = self._graph.arrays["node_depths"][nodes] / self._deepest
        rated: Scores = 0.8 + 0.15 * rare + 0.05 * deep
        return rated
