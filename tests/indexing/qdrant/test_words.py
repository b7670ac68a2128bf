"""BM25 in Qdrant: what passages and questions weigh, and what is found, against a plain sum."""

import math
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medrag.build import ChannelPlan
from medrag.config import build_index
from medrag.config.building import update_index
from medrag.errors import IndexFormatError
from medrag.evaluation.beir import load_beir
from medrag.evaluation.retrieval import document_of, evaluate_retrieval
from medrag.indexing.checking import verify
from medrag.indexing.lexical import LexicalChannel
from medrag.indexing.maintenance import compact, remove, repair
from medrag.indexing.postings import postings_from_json
from medrag.indexing.qdrant import QdrantSearch, words
from medrag.indexing.qdrant.ledger import read_ledger
from medrag.indexing.qdrant.words import counted
from medrag.indexing.storage import Store, open_store
from medrag.language import stems
from medrag.records import Corpus, Filter, ImageRef, Passage, Question
from medrag.retrieval.channels import ChannelsRetriever
from tests.contracts import check_channel
from tests.indexing.library import build_lines
from tests.indexing.qdrant.conftest import QUICK
from tests.indexing.qdrant.fake_server import FakeServer
from tests.indexing.qdrant.lines import (
    WORDS,
    built,
    channels,
    check_same,
    cut_short,
    filters,
    lines,
)
from tests.indexing.qdrant.lines import asked as vectors_of
from tests.indexing.qdrant.lines import searching as searching_vectors

EDGE: dict[str, Any] = {}
MEMORY: dict[str, Any] = {"location": ":memory:"}
QUESTIONS = [
    Question(text="pleural effusion"),
    Question(text="white matter, white heart", options=("3", "lung")),
    Question(text="pathology"),
]


def plan(options: dict[str, Any], name: str = "lexical") -> dict[str, ChannelPlan]:
    return {name: ChannelPlan({"kind": "lexical", "store": {"kind": "qdrant", **options}})}


def searching(store: Store, title_weight: float = 0.35) -> LexicalChannel:
    options = dict(store.channel("lexical").spec["store"])
    options.pop("kind")
    found = QdrantSearch(store=store, name="lexical", **options)
    return LexicalChannel(store=store, title_weight=title_weight, vectors=found)


def plainly(
    store: Store, question: Question, k: int, wanted: Filter, title_weight: float = 0.35
) -> list[tuple[int, float]]:
    """Rank by the sum of BM25, passage by passage, with the mean lengths that the points have."""
    passages = list(store.passages)
    averages = dict(read_ledger(store.derived("lexical")).averages)
    asked = " ".join((question.text, *question.options))
    scores = dict.fromkeys((passage.id for passage in passages), 0.0)
    for title, weight in ((False, 1.0), (True, title_weight)):
        held = {p.id: Counter(stems(_text(p, title), p.source.language)) for p in passages}
        mean = sum(times.total() for times in held.values()) / len(passages)
        average = averages.get("title_en" if title else "text_en", mean)
        assert abs(mean - average) <= words.DRIFT * average
        for stem, n in Counter(stems(asked)).items():
            having = sum(stem in times for times in held.values())
            rarity = math.log(1 + (len(passages) - having + 0.5) / (having + 0.5))
            for identifier, times in held.items():
                if times[stem]:
                    length = 1.2 * (1 - 0.75 + 0.75 * times.total() / average)
                    part = times[stem] * 2.2 / (times[stem] + length)
                    scores[identifier] += n * weight * rarity * part
    mask = store.row_mask(wanted)
    ranked = [(int(store.row_of(p) or 0), score) for p, score in scores.items() if score > 0]
    allowed = [(row, round(score, 3)) for row, score in ranked if mask[row]]
    return sorted(allowed, key=lambda hit: (-hit[1], hit[0]))[:k]


def _text(passage: Passage, title: bool) -> str:
    return str(passage.fields.get("title", "")) if title else passage.text


def check(store: Store, questions: Sequence[Question] = QUESTIONS, k: int = 200) -> None:
    found = searching(store).search(questions, k, [Filter()] * len(questions))
    for question, ranking in zip(questions, found, strict=True):
        same_scores(ranking, plainly(store, question, k, Filter()))


def same_scores(found: Sequence[Any], expected: Sequence[Any]) -> None:
    """Compare rankings; single precision may round a tie apart, and order it otherwise."""
    one, two = dict(found), dict(expected)
    assert one.keys() == two.keys()
    np.testing.assert_allclose([one[row] for row in one], [two[row] for row in one], atol=2e-3)


@pytest.fixture(scope="module", params=[EDGE, MEMORY], ids=["edge", "memory"])
def library(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Passages in three segments, of which 40 were removed since."""
    with tempfile.TemporaryDirectory(dir=QUICK, prefix="medrag-test-") as folder:
        place, plans = Path(folder), plan(request.param)
        built(place, {"a.lines": lines(1, 60), "b.lines": lines(2, 40)}, channels=plans)
        yield built(place, {"b.lines": lines(3, 60)}, channels=plans)


@pytest.fixture(scope="module")
def channel(library: Store) -> LexicalChannel:
    return searching(library)


def test_it_keeps_the_promises_of_a_channel(library: Store, channel: LexicalChannel) -> None:
    wanted = [Filter(domains=frozenset({"radiology"})), Filter(kinds=frozenset({"text", "case"}))]
    check_channel(
        channel,
        QUESTIONS[:2],
        n_rows=library.n_rows,
        masks=[(each, library.row_mask(each)) for each in wanted],
        unusable=[Question(), Question(text="of the"), Question(images=(ImageRef("/x.png"),))],
    )


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.sampled_from([*WORDS, "3", "unheard"]), min_size=1, max_size=5),
    k=st.integers(1, 150),
    wanted=filters,
)
def test_any_question_and_filter_give_the_plain_sum(
    library: Store, channel: LexicalChannel, texts: list[str], k: int, wanted: Filter
) -> None:
    question = Question(text=" ".join(texts))
    (found,) = channel.search([question], k, [wanted])
    whole = plainly(library, question, library.n_rows, wanted)
    scores = dict(whole)
    assert len(found) == min(k, len(whole))
    same_scores(found, [(row, scores[row]) for row, _ in found])
    # None that was left out is better than the last one found, but for rounding.
    left = [score for row, score in whole if row not in dict(found)]
    assert not left or max(left) <= found[-1].score + 2e-3


def test_a_title_counts_by_its_weight_and_may_count_nothing(library: Store) -> None:
    for weight in (0.0, 2.0):
        question = Question(text="3 heart")
        (found,) = searching(library, weight).search([question], 200, [Filter()])
        same_scores(found, plainly(library, question, 200, Filter(), weight))


def test_each_language_has_its_own_words(quick: Path) -> None:
    german = Corpus("german", quick / "de", language="de")
    build_lines(quick / "index", quick / "en", {"a.lines": ["the lungs"]}, channels=plan(EDGE))
    build_lines(
        quick / "index",
        quick / "de",
        {"b.lines": ["die Herzen der Kranken"]},
        corpus=german,
        channels=plan(EDGE),
    )
    channel = searching(open_store(quick / "index"))
    assert channel.languages == ("de", "en")
    found = channel.search([Question(text="Herz"), Question(text="lung")], 3, [Filter()] * 2)
    assert [[hit.row for hit in each] for each in found] == [[1], [0]]


def test_passages_without_words_and_broken_unicode_do_no_harm(quick: Path) -> None:
    held: list[Any] = ["", "?!", {"text": "broken \ud800 effusion", "title": "lung"}, "of the"]
    store = built(quick, {"a.lines": held}, channels=plan(EDGE))
    (found,) = searching(store).search([Question(text="effusion \ud800")], 5, [Filter()])
    assert [store.passages_at([hit.row])[0].fields.get("title") for hit in found] == ["lung"]
    assert verify(store.folder) == []


def test_an_empty_index_has_no_hits(quick: Path) -> None:
    store = built(quick, {"a.lines": []}, channels=plan(EDGE))
    assert searching(store).search(QUESTIONS, 3, [Filter()] * 3) == [[], [], []]


def test_no_postings_are_made_and_a_channel_may_go_there_and_back(quick: Path) -> None:
    files = {"a.lines": lines(1, 30)}
    store = built(quick, files, channels=plan(EDGE))
    assert [path.name for path in (quick / "index" / "derived").iterdir()] == ["qdrant-000002"]
    assert postings_from_json(store.channel("lexical").derived) is None
    plain = {"lexical": ChannelPlan({"kind": "lexical"})}
    back = built(quick, {}, channels=plain)
    expected = LexicalChannel(store=back).search(QUESTIONS, 5, [Filter()] * 3)
    assert any(expected)
    assert verify(back.folder) == []
    again = built(quick, {}, channels=plan(EDGE))
    check(again)
    assert verify(again.folder) == []


def test_words_follow_additions_and_removals_as_if_built_anew(quick: Path) -> None:
    built(quick, {"a.lines": lines(1, 60), "b.lines": lines(2, 40)}, channels=plan(EDGE))
    built(quick, {"c.lines": lines(4, 30)}, channels=plan(EDGE))
    remove(quick / "index", ["b.lines"])
    store = open_store(quick / "index")
    check(store)
    assert verify(quick / "index") == []
    followed = searching(store).search(QUESTIONS, 200, [Filter()] * 3)
    compact(quick / "index")
    anew = searching(open_store(quick / "index")).search(QUESTIONS, 200, [Filter()] * 3)
    check(open_store(quick / "index"))
    # Mean lengths may be off by so much before points are weighed anew.
    for one, two in zip(followed, anew, strict=True):
        was, now = ([hit.score for hit in each] for each in (one, two))
        np.testing.assert_allclose(sorted(was), sorted(now), rtol=words.DRIFT, atol=2e-3)


def test_what_was_counted_before_is_not_read_again(
    quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = built(quick, {"a.lines": lines(1, 60), "b.lines": lines(2, 40)}, channels=plan(EDGE))
    before = counted(first, None)
    (quick / "in" / "a.lines").unlink()
    remove(quick / "index", ["a.lines"])
    store = built(quick, {"c.lines": lines(4, 7)}, channels=plan(EDGE))
    fresh = counted(store, None)
    read: list[bytes] = []
    real = words._words

    def reading(line: bytes) -> Any:
        read.append(line)
        return real(line)

    monkeypatch.setattr(words, "_words", reading)
    assert counted(store, before).same(fresh)
    assert len(read) == 60 + 7
    assert not before.same(fresh)


def test_mean_lengths_that_hardly_move_leave_points_as_they_are(
    quick: Path, server: FakeServer, url: str
) -> None:
    options = {"url": url, "collection": "c"}
    first = built(quick, {"a.lines": lines(1, 300)}, channels=plan(options))

    def sent() -> int:
        n = sum(len(r.body["points"]) for r in server.of("PUT", "/points"))
        server.requests.clear()
        return n

    n = len(first.passages)
    assert sent() == n
    built(quick, {"b.lines": lines(2, 3)}, channels=plan(options))
    assert sent() == 3
    long = [{"text": " ".join(WORDS * 9), "title": str(number)} for number in range(20)]
    store = built(quick, {"c.lines": long}, channels=plan(options))
    # Passages are longer by now, so that every one is weighed anew; the texts are all alike.
    assert sent() == len(store.passages) == n + 4
    check(store)
    vectors = server.held["c"].made
    assert vectors["sparse_vectors"].keys() == {"lexical"}
    assert verify(store.folder) == []


def test_a_server_without_the_words_is_told(quick: Path, server: FakeServer, url: str) -> None:
    store = built(quick, {"a.lines": lines(1, 5)}, channels=plan({"url": url, "collection": "c"}))
    server.held["c"].made["sparse_vectors"] = {}
    with pytest.raises(IndexFormatError, match=r"has no numbers per vector of channel 'lexical'"):
        searching(store).search(QUESTIONS, 3, [Filter()] * 3)


def test_new_passages_are_found_once_their_build_is_finished(quick: Path) -> None:
    built(quick, {"a.lines": lines(1, 20)}, channels=plan(EDGE))

    with cut_short():
        built(quick, {"b.lines": lines(5, 10)}, channels=plan(EDGE))
    between = open_store(quick / "index")
    (found,) = searching(between).search([Question(text="effusion")], 99, [Filter()])
    assert found
    assert max(hit.row for hit in found) < 20 < between.n_rows
    check(built(quick, {}, channels=plan(EDGE)))


def test_a_channel_that_moves_is_unfinished_until_it_arrived(quick: Path) -> None:
    plain = {"lexical": ChannelPlan({"kind": "lexical"})}
    built(quick, {"a.lines": lines(1, 20)}, channels=plain)

    with cut_short():
        built(quick, {"b.lines": lines(5, 10)}, channels=plan(EDGE))
    assert open_store(quick / "index").unfinished == ("lexical",)
    check(built(quick, {}, channels=plan(EDGE)))


def test_verify_tells_words_that_were_miscounted(quick: Path) -> None:
    store = built(quick, {"a.lines": lines(1, 20)}, channels=plan(EDGE))
    path = store.derived("lexical") / "points.npz"
    with np.load(path) as arrays:
        held = dict(arrays)
    held["passages"] = held["passages"] + 1
    np.savez(path, **held)
    (problem,) = verify(store.folder)
    assert "words of the segments are not those counted" in problem.problem
    repair(store.folder)
    assert verify(store.folder) == []


def test_words_and_vectors_share_a_shard(quick: Path) -> None:
    store = built(quick, {"a.lines": lines(1, 40)}, channels={**channels(EDGE), **plan(EDGE)})
    assert store.derived("words") == store.derived("lexical")
    assert read_ledger(store.derived("words")).shapes.keys() == {"words", "lexical"}
    check(store)
    questions = vectors_of("effusion", "lung")
    check_same(store, searching_vectors(store), questions, 5, [Filter()] * 2)
    assert verify(store.folder) == []


@pytest.mark.parametrize("option", [{"quantization": "scalar"}, {"hnsw": {"m": 4}}, {"ef": 9}])
def test_options_of_dense_vectors_are_refused(quick: Path, option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is an option of dense channels"):
        built(quick, {"a.lines": ["lung"]}, channels=plan(option))


@pytest.mark.realdata
@pytest.mark.slow
def test_scifact_is_ranked_as_by_tantivy(data: Path, tmp_path: Path) -> None:
    task = load_beir(data / "retrieval" / "scifact")
    corpus, none = data / "retrieval" / "scifact" / "corpus.jsonl", [Filter()] * 300
    found, scores = [], []
    build_index(tmp_path / "index", sources=[corpus], channels=["lexical"]).close()
    for store in ({}, {"lexical": {"kind": "qdrant"}}):
        update_index(tmp_path / "index", sources=[corpus], channels=["lexical"], stores=store)
        with build_index(tmp_path / "index", sources=[corpus]) as index:
            found.append(index.channels["lexical"].search(task.questions, 10, none))
            result = evaluate_retrieval(
                ChannelsRetriever(rows=index.rows, channels=index.chosen(["lexical"])),
                task.questions,
                task.qrels,
                measures=("nDCG@10",),
                documents={document_of(passage) for passage in index.passages},
            )
            scores.append(result.measures["nDCG@10"])
    both = [len(dict(a).keys() & dict(b).keys()) for a, b in zip(*found, strict=True)]
    # Tantivy keeps a length in one byte, so that some near ties come out the other way.
    assert sum(both) / sum(len(each) for each in found[0]) >= 0.97
    assert abs(scores[0] - scores[1]) <= 0.01
