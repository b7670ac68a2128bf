"""The lexical channel: BM25 over the words of passages and their titles."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from medrag.errors import IndexFormatError, is_panic
from medrag.extras import Library, require
from medrag.indexing.commands import repair
from medrag.indexing.postings import (
    FILTERED,
    TIMES,
    encodable,
    keyword,
    opened_postings,
    postings_from_json,
    serial_and_row,
    stamp_of,
    text_field,
    time_parts,
    title_field,
)
from medrag.indexing.storage import Store
from medrag.language import stems
from medrag.records import Filter, Question, ScoredRow

# The sum of a score depends in its last bits on how Tantivy cut the documents into segments.
_DECIMALS = 3


class Word(NamedTuple):
    """A word of a question: its stem, the field that it is looked for in, and its weight there."""

    field: str
    stem: str
    weight: float


class WordSearch(Protocol):
    """Search the words of passages. `languages` are those that passages may be in."""

    @property
    def languages(self) -> Sequence[str]: ...

    def search_words(
        self, questions: Sequence[Sequence[Word]], k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        """Rank rows by the weighted sum of the BM25 of each word; none for no words."""
        ...


class LexicalChannel:
    """Rank passages by BM25 (k1 1.2, b 0.75) of their text plus that of their title.

    A question is its text and its options; its words are analysed as those of the passages, once
    for every language of the index. Filters are part of the query, so that k allowed passages are
    found wherever there are as many. Raw text never meets a query parser.

    Args:
        title_weight: what a match in `Passage.fields["title"]` counts beside one in the text;
            0.35 was best on SciFact (nDCG@10 0.694, against 0.670 at 1 and 0.682 with the title
            put before the text), and as good as any on textbook sections.
        vectors: what searches the words; postings of Tantivy, if None.

    Raises:
        KeyError: if the store has no channel of that name.
        IndexFormatError: if its postings are missing.

    Source:
        Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009.
    """

    def __init__(
        self,
        *,
        store: Store,
        name: str = "lexical",
        title_weight: float = 0.35,
        vectors: WordSearch | None = None,
    ) -> None:
        if title_weight < 0:
            raise ValueError(f"title_weight must not be negative, got {title_weight}")
        self.title_weight = title_weight
        self.vectors = vectors or PostingsSearch(store=store, name=name)
        self.languages = tuple(self.vectors.languages)

    def search(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        return self.vectors.search_words(
            [list(self._words(each)) for each in questions], k, filters
        )

    def _words(self, question: Question) -> Iterator[Word]:
        text = encodable(" ".join((question.text, *question.options)))
        for language in self.languages:
            for stem, times in Counter(stems(text, language)).items():
                yield Word(text_field(language), stem, float(times))
                if self.title_weight:
                    yield Word(title_field(language), stem, times * self.title_weight)


class PostingsSearch:
    """Search the postings that Tantivy keeps of a channel.

    Raises:
        KeyError: if the store has no channel of that name.
        IndexFormatError: if its postings are missing.
    """

    def __init__(self, *, store: Store, name: str) -> None:
        postings = postings_from_json(store.channel(name).derived)
        folder = store.folder / (postings.folder if postings else name)
        stamp = stamp_of(folder)
        if postings is None or stamp is None:
            raise IndexFormatError(
                f"the postings of channel {name!r} of {store.folder} are missing ({folder}); the "
                "same build again makes them anew, and a store opened again finds those of a "
                "build that ended meanwhile"
            )
        self.languages: Sequence[str] = postings.languages
        self._tantivy = require("tantivy")
        self._folder = folder
        with _told(folder):
            # One searcher for good: what a writer commits later is not of this store's manifest.
            index, self._searcher = opened_postings(folder)
        self._schema = index.schema
        self._firsts = dict(zip((e.serial for e in store.entries), store.firsts, strict=False))
        # A mask is needed only where postings and manifest are not of one commit.
        self._live = None if stamp == postings.stamp and not store.damaged else store.live

    def search_words(
        self, questions: Sequence[Sequence[Word]], k: int, filters: Sequence[Filter]
    ) -> list[list[ScoredRow]]:
        rankings = []
        for words, wanted in zip(questions, filters, strict=True):
            query = self._query(words, wanted) if words else None
            with _told(self._folder):
                rankings.append(self._ranking(query, k) if query is not None else [])
        return rankings

    def _query(self, words: Sequence[Word], wanted: Filter) -> Library:
        occur = self._tantivy.Occur
        scored = self._tantivy.Query.boolean_query([(occur.Should, self._word(w)) for w in words])
        parts = [(occur.Must, scored)]
        unscored = self._tantivy.Query.const_score_query
        parts += [(occur.Must, unscored(part, 0.0)) for part in self._required(wanted)]
        parts += [(occur.MustNot, part) for part in self._forbidden(wanted)]
        return scored if len(parts) == 1 else self._tantivy.Query.boolean_query(parts)

    def _word(self, word: Word) -> Library:
        query = self._tantivy.Query
        term = query.term_query(self._schema, word.field, word.stem, "freq")
        return query.boost_query(term, word.weight)

    def _required(self, wanted: Filter) -> list[Library]:
        chosen = (wanted.kinds, wanted.domains, wanted.corpora, wanted.subjects)
        parts = [self._any_of(f, n) for f, n in zip(FILTERED, chosen, strict=False) if n]
        if wanted.before is not None:
            parts.append(self._before(wanted.before))
        return parts

    def _before(self, time: str) -> Library:
        """Match times whose first part that differs from that of `time` is lower."""
        occur, query = self._tantivy.Occur, self._tantivy.Query
        bounds = list(zip(TIMES, time_parts(time), strict=True))
        earlier = []
        for place, (field, bound) in enumerate(bounds):
            equal = [self._between(*each, include=True) for each in bounds[:place]]
            lower = self._between(field, bound, include=False)
            both = query.boolean_query([(occur.Must, each) for each in (*equal, lower)])
            earlier.append((occur.Should, both))
        return query.boolean_query(earlier)

    def _between(self, field: str, bound: int, *, include: bool) -> Library:
        """Match the bound itself, or what is below it."""
        lower = bound if include else None
        kind = self._tantivy.FieldType.Integer
        return self._tantivy.Query.range_query(
            self._schema, field, kind, lower, bound, True, include
        )

    def _forbidden(self, wanted: Filter) -> list[Library]:
        guard = {
            "image": wanted.not_images,
            "study": wanted.not_studies,
            "subject": wanted.not_subjects,
        }
        parts = [self._any_of(field, names) for field, names in guard.items() if names]
        # "2020" may be after "2020-05", which it is less than.
        before = wanted.before or ""
        return [*parts, *(self._at(before[:length]) for length in range(len(before)))]

    def _at(self, time: str) -> Library:
        """Match one time."""
        bounds = zip(TIMES, time_parts(time), strict=True)
        equal = [(self._tantivy.Occur.Must, self._between(*each, include=True)) for each in bounds]
        return self._tantivy.Query.boolean_query(equal)

    def _any_of(self, field: str, names: frozenset[str]) -> Library:
        return self._tantivy.Query.term_set_query(self._schema, field, sorted(map(keyword, names)))

    def _ranking(self, query: Library, k: int) -> list[ScoredRow]:
        """Fetch until every row that ties with the last one wanted is there, then order."""
        # Tantivy makes room for as many hits as are asked for, however few there can be.
        most = max(1, self._searcher.num_docs)
        k = min(k, most)
        limit = k + 8
        while True:
            hits = self._searcher.search(query, min(limit, most), count=False).hits
            ranked = self._rows(hits)
            if len(hits) < limit:
                break
            lowest = round(hits[-1][0], _DECIMALS)
            if len(ranked) >= k and lowest < ranked[k - 1].score:
                break
            limit *= 4
        return sorted(ranked, key=lambda hit: (-hit.score, hit.row))[:k]

    def _rows(self, hits: Sequence[tuple[float, Library]]) -> list[ScoredRow]:
        keys = self._searcher.fast_field_values("key", [address for _, address in hits])
        rows = []
        for (score, _), key in zip(hits, keys, strict=True):
            serial, place = serial_and_row(key)
            first = self._firsts.get(serial)
            if first is None or (self._live is not None and not self._live[first + place]):
                continue
            rows.append(ScoredRow(first + place, round(score, _DECIMALS)))
        return rows


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Say which postings it is that Tantivy stumbles over, be it by a panic of its own."""
    try:
        yield
    except BaseException as error:
        if not (isinstance(error, ValueError | IndexError | TypeError) or is_panic(error)):
            raise
        raise IndexFormatError(
            f"the postings in {folder} are damaged ({error}); make them anew: {repair(folder)}"
        ) from error
