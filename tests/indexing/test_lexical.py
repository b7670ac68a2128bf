import json
import math
import os
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import bm25s
import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from medrag.build import ChannelPlan
from medrag.errors import IndexFormatError
from medrag.evaluation.beir import load_beir
from medrag.evaluation.measures import measured, parse_measure
from medrag.indexing import deriving, durable
from medrag.indexing.checking import verify
from medrag.indexing.lexical import LexicalChannel
from medrag.indexing.storage import Store, open_store
from medrag.language import stems
from medrag.records import Corpus, Filter, Question, ScoredRow
from tests.contracts import check_channel
from tests.indexing.library import build_lines

LINES = [
    {"text": "a pleural effusion of the left lung", "domain": "radiology", "subject": "p-1"},
    {"text": "no effusion", "kind": "report", "study": "s-1", "time": "2020-01-02"},
    {"text": "white matter of the brain", "title": "effusion", "domain": "neurology"},
    {"text": "effusions, effusions", "domain": "radiology", "time": "2021-05-06T07:08"},
    {"text": "red cells", "kind": "report", "subject": "p-2", "domain": "pathology"},
    {"text": "effusion", "domain": "radiology"},
    {"text": "the effusion", "domain": "radiology"},
]
FILTERS = [
    Filter(kinds=frozenset({"report"})),
    Filter(domains=frozenset({"radiology", "none such"})),
    Filter(corpora=frozenset({"lines"}), subjects=frozenset({"p-1"})),
    Filter(before="2021-05-06"),
    Filter(not_studies=frozenset({"s-1"}), not_subjects=frozenset({"p-1"})),
    Filter(not_images=frozenset({"0" * 64})),
]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    build_lines(tmp_path / "index", tmp_path / "in", {"a.lines": LINES})
    return open_store(tmp_path / "index")


def test_it_keeps_the_promises_of_a_channel(store: Store) -> None:
    check_channel(
        LexicalChannel(store=store),
        [Question(text="pleural effusion"), Question(text="lung", options=("brain", "cells"))],
        n_rows=store.n_rows,
        masks=[(wanted, store.row_mask(wanted)) for wanted in FILTERS],
        unusable=[Question(), Question(text="of the"), Question(text="?!")],
    )


def test_words_are_found_by_their_stem_whatever_their_case(store: Store) -> None:
    assert rows(LexicalChannel(store=store), "CELL") == [4]


def test_equal_passages_are_ranked_by_row(store: Store) -> None:
    ranked = rows(LexicalChannel(store=store), "effusion")
    assert ranked.index(5) < ranked.index(6)


def test_a_tie_at_the_end_of_a_ranking_goes_to_the_lowest_rows(tmp_path: Path) -> None:
    lines = {f"{n}.lines": [{"text": "cell", "kind": "text"}] for n in range(40)}
    build_lines(tmp_path / "index", tmp_path / "in", lines)
    channel = LexicalChannel(store=open_store(tmp_path / "index"))
    assert rows(channel, "cell", k=3) == [0, 1, 2]


def test_the_title_counts_by_its_weight(store: Store) -> None:
    assert 2 in rows(LexicalChannel(store=store), "effusion")
    assert 2 not in rows(LexicalChannel(store=store, title_weight=0), "effusion")
    with pytest.raises(ValueError, match="title_weight"):
        LexicalChannel(store=store, title_weight=-1)


@pytest.mark.parametrize(
    "text",
    ["effusion AND (", 'kind:report "', "effusion^9 -lung", "*", "[a TO b]", "é\ud800 effusion"],
)
def test_a_question_is_words_and_never_a_query(store: Store, text: str) -> None:
    found = rows(LexicalChannel(store=store), text)
    assert (5 in found) == ("effusion" in text)


def test_a_passage_of_broken_unicode_is_found_by_its_other_words(tmp_path: Path) -> None:
    line = {"text": "broken \ud800 effusion", "id": "6d656472-6167-5a00-8000-00000000000a"}
    build_lines(tmp_path / "index", tmp_path / "in", {"a.lines": [line]})
    assert rows(LexicalChannel(store=open_store(tmp_path / "index")), "effusion") == [0]


@pytest.mark.skipif(os.name != "posix", reason="names of folders are bytes")
def test_a_corpus_whose_name_is_no_text_is_told_from_others(tmp_path: Path) -> None:
    index = tmp_path / "index"
    names = [os.fsdecode(name) for name in (b"notes\xff", b"notes\xfe")]
    for name in names:
        root = tmp_path / name
        build_lines(index, root, {"a.lines": [f"effusion {name!r}"]}, corpus=Corpus(name, root))
    store = open_store(index)
    assert verify(index) == []
    for row, name in enumerate(names):
        wanted = Filter(corpora=frozenset({name}))
        (found,) = LexicalChannel(store=store).search([Question(text="effusion")], 5, [wanted])
        assert [hit.row for hit in found] == [row]
        assert np.flatnonzero(store.row_mask(wanted)).tolist() == [row]


def test_each_language_has_its_own_stems(tmp_path: Path) -> None:
    index = tmp_path / "index"
    german = Corpus("german", tmp_path / "de", language="de")
    build_lines(index, tmp_path / "en", {"a.lines": ["the lungs"]})
    build_lines(index, tmp_path / "de", {"b.lines": ["die Herzen der Kranken"]}, corpus=german)
    channel = LexicalChannel(store=open_store(index))
    assert channel.languages == ("de", "en")
    assert rows(channel, "Herz") == [1]
    assert rows(channel, "lung") == [0]


def test_a_store_does_not_see_what_is_written_after_it_was_opened(tmp_path: Path) -> None:
    index, root = tmp_path / "index", tmp_path / "in"
    build_lines(index, root, {"a.lines": ["effusion one"], "b.lines": ["effusion two"]})
    early = open_store(index)
    before = LexicalChannel(store=early)
    expected = before.search([Question(text="effusion")], 9, [Filter()])
    build_lines(index, root, {"c.lines": ["effusion three"]})
    assert before.search([Question(text="effusion")], 9, [Filter()]) == expected
    # Opened between the two: the postings are ahead of this store's manifest.
    late = LexicalChannel(store=early)
    assert sorted(
        hit.row for hit in late.search([Question(text="effusion")], 9, [Filter()])[0]
    ) == [0, 1]


def test_postings_that_are_missing_are_named_and_made_anew(tmp_path: Path) -> None:
    index, root = tmp_path / "index", tmp_path / "in"
    build_lines(index, root, {"a.lines": ["effusion"]})
    durable.remove(index / "derived")
    with pytest.raises(IndexFormatError, match="postings of channel 'lexical'"):
        LexicalChannel(store=open_store(index))
    build_lines(index, root)
    assert rows(LexicalChannel(store=open_store(index)), "effusion") == [0]


def test_files_of_a_writer_that_died_in_a_commit_are_not_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deriving, "outdated", lambda postings: False)
    root = tmp_path / "in"
    build_lines(tmp_path / "old", root, {"a.lines": ["effusion one"], "b.lines": ["effusion two"]})
    shutil.copytree(tmp_path / "old", tmp_path / "done")
    (root / "a.lines").unlink()
    build_lines(tmp_path / "done", root, prune=True)
    (done,), (old,) = ([*(tmp_path / n / "derived").iterdir()] for n in ("done", "old"))
    for path in [done / ".managed.json", *done.glob("*.del")]:
        shutil.copy(path, old)
    assert list(old.glob("*.del"))
    build_lines(tmp_path / "old", root, prune=True)
    channel = LexicalChannel(store=open_store(tmp_path / "old"))
    assert rows(channel, "effusion") == [1]


def test_a_lexical_channel_can_be_added_to_an_index_without_one(tmp_path: Path) -> None:
    index, root = tmp_path / "index", tmp_path / "in"
    build_lines(index, root, {"a.lines": ["effusion"]}, channels={})
    build_lines(index, root, channels={"words": ChannelPlan({"kind": "lexical"})})
    assert rows(LexicalChannel(store=open_store(index), name="words"), "effusion") == [0]
    with pytest.raises(KeyError, match="it has: words"):
        LexicalChannel(store=open_store(index))


WORDS = st.sampled_from(["lung", "cell", "brain", "effusion", "matter", "red"])
NAMES = st.none() | st.sampled_from(["a", "b"])
RECORD = st.fixed_dictionaries(
    {
        "text": st.lists(WORDS, min_size=1, max_size=6).map(" ".join),
        "kind": st.sampled_from(["text", "report"]),
        "domain": NAMES,
        "subject": NAMES,
        "study": NAMES,
        "time": st.none() | st.sampled_from(["2020", "2020-06", "2021-01-01"]),
    }
)
SETS = st.frozensets(st.sampled_from(["a", "b", "c"]), max_size=2)


@settings(max_examples=15, deadline=None)
@given(
    records=st.lists(RECORD, min_size=1, max_size=12),
    wanted=st.builds(
        Filter,
        kinds=st.frozensets(st.sampled_from(["text", "report"]), max_size=1),
        domains=SETS,
        subjects=SETS,
        before=st.none() | st.sampled_from(["2020", "2020-06", "2020-07", "2022"]),
        not_studies=SETS,
        not_subjects=SETS,
    ),
    words=st.lists(WORDS, min_size=1, max_size=3),
)
def test_a_filter_in_the_query_equals_a_filter_on_the_ranking(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[dict[str, str]],
    wanted: Filter,
    words: list[str],
) -> None:
    folder = tmp_path_factory.mktemp("lexical")
    build_lines(folder / "index", folder / "in", {"a.lines": records})
    store = open_store(folder / "index")
    channel = LexicalChannel(store=store)
    question = [Question(text=" ".join(words))]
    (full,) = channel.search(question, 99, [Filter()])
    (found,) = channel.search(question, 99, [wanted])
    mask = store.row_mask(wanted)
    assert {hit.row for hit in found} == {hit.row for hit in full if mask[hit.row]}
    scores = {hit.row: hit.score for hit in full}
    # Scores are rounded to 0.001, of sums that a filter may take in another order.
    np.testing.assert_allclose(
        [hit.score for hit in found], [scores[hit.row] for hit in found], atol=1.1e-3
    )


@settings(max_examples=15, deadline=None)
@given(
    texts=st.lists(st.lists(WORDS, min_size=1, max_size=30), min_size=2, max_size=20),
    words=st.lists(WORDS, min_size=1, max_size=4),
)
def test_scores_are_those_of_bm25s(
    tmp_path_factory: pytest.TempPathFactory, texts: list[list[str]], words: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("bm25s")
    lines = [
        {"text": " ".join(text), "images": [f"{n}.png"], "kind": "page"}
        for n, text in enumerate(texts)
    ]
    build_lines(folder / "index", folder / "in", {"a.lines": lines})
    channel = LexicalChannel(store=open_store(folder / "index"))
    (found,) = channel.search([Question(text=" ".join(words))], len(texts), [Filter()])
    expected = bm25s_scores(bm25s_of([" ".join(text) for text in texts]), " ".join(words))
    assert {hit.row for hit in found} == set(np.flatnonzero(expected))
    # Scores are rounded to 0.001, and bm25s sums single precision. Texts are below 40 words:
    # Tantivy keeps longer lengths roughly.
    np.testing.assert_allclose(
        [hit.score for hit in found], [expected[hit.row] for hit in found], atol=1.1e-3
    )


@pytest.mark.realdata
def test_scifact_is_ranked_as_by_bm25s_and_measured_as_by_ir_measures(
    data: Path, tmp_path: Path
) -> None:
    root = data / "retrieval" / "scifact"
    documents = _jsonl(root / "corpus.jsonl")
    names = [d["_id"] for d in documents]
    task = load_beir(root)
    found = _ranked(tmp_path, [{"text": d["text"]} for d in documents], task.questions, 100)
    made = bm25s_of([d["text"] for d in documents])
    same = []
    for question, ranking in zip(task.questions, found, strict=True):
        theirs = bm25s_scores(made, question.text)
        tenth = np.sort(theirs)[-10]
        # Tantivy keeps the length of a long text in one byte, so that near ties change places.
        same.append(np.mean([theirs[hit.row] >= 0.97 * tenth for hit in ranking[:10]]))
    assert np.mean(same) >= 0.98
    run = {
        question.id: [names[hit.row] for hit in ranking]
        for question, ranking in zip(task.questions, found, strict=True)
    }
    qrels = [
        ir_measures.Qrel(query, name, grade)
        for query, judged in task.qrels.items()
        for name, grade in judged.items()
    ]
    # Falling scores, so that the library keeps the order of ties.
    scored = [
        ir_measures.ScoredDoc(query, name, -float(rank))
        for query, ranked in run.items()
        for rank, name in enumerate(ranked)
    ]
    pairs = [("nDCG@10", "nDCG@10"), ("Recall@100", "R@100"), ("MRR@10", "RR@10")]
    theirs = ir_measures.calc_aggregate(
        [ir_measures.parse_measure(b) for _, b in pairs], qrels, scored
    )
    for ours, name in pairs:
        measure = parse_measure(ours)
        values = [measured(measure, ranked, task.qrels[query]) for query, ranked in run.items()]
        assert np.mean(values) == pytest.approx(theirs[ir_measures.parse_measure(name)], abs=1e-9)


@pytest.mark.realdata
def test_scifact_reaches_the_known_quality_of_bm25(data: Path, tmp_path: Path) -> None:
    root = data / "retrieval" / "scifact"
    documents = _jsonl(root / "corpus.jsonl")
    lines = [{"text": d["text"], "title": d["title"]} for d in documents]
    names = [d["_id"] for d in documents]
    queries = {q["_id"]: q["text"] for q in _jsonl(root / "queries.jsonl")}
    relevant: dict[str, set[str]] = defaultdict(set)
    for line in (root / "qrels" / "test.tsv").read_text().splitlines()[1:]:
        query, document, relevance = line.split("\t")
        if int(relevance) > 0:
            relevant[query].add(document)
    found = _ranked(tmp_path, lines, [Question(text=queries[q]) for q in relevant], 10)
    gains = []
    for ranking, wanted in zip(found, relevant.values(), strict=True):
        hits = [names[hit.row] in wanted for hit in ranking]
        ideal = sum(1 / math.log2(rank + 2) for rank in range(min(10, len(wanted))))
        gains.append(sum(h / math.log2(rank + 2) for rank, h in enumerate(hits)) / ideal)
    assert np.mean(gains) >= 0.67


@pytest.mark.realdata
def test_questions_with_options_find_their_module_of_the_textbook(
    data: Path, tmp_path: Path
) -> None:
    root = data / "textbook" / "anatomy_physiology"
    lines, modules = [], []
    for section in _jsonl(root / "sections.jsonl"):
        words = section["text"].split()
        for start in range(0, len(words), 200):
            text = " ".join(words[start : start + 200])
            title = f"{section['module_title']} {section['section_title']}"
            lines.append({"text": text, "title": title, "id": None})
            modules.append(section["module"])
    asked = [q for q in _jsonl(root / "review_questions.jsonl") if q["type"] == "multiple-choice"]
    questions = [Question(text=q["question"], options=tuple(q["options"].values())) for q in asked]
    found = _ranked(tmp_path, lines, questions, 1)
    hits = [modules[r[0].row] == q["gold_module"] for r, q in zip(found, asked, strict=True)]
    assert np.mean(hits) >= 0.76


def bm25s_of(texts: Sequence[str]) -> Any:
    made = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
    made.index([stems(text) for text in texts], show_progress=False)
    return made


def bm25s_scores(made: Any, question: str) -> NDArray[np.float64]:
    """Score every text; a word that is asked twice counts twice."""
    known = [made.get_scores([stem]) for stem in stems(question) if stem in made.vocab_dict]
    # Lucene leaves out the constant factor k1 + 1 of the formula, and Tantivy does not.
    total: NDArray[np.float64] = 2.2 * np.sum([np.zeros(made.scores["num_docs"]), *known], axis=0)
    return total


def rows(channel: LexicalChannel, text: str, k: int = 99) -> list[int]:
    (ranking,) = channel.search([Question(text=text)], k, [Filter()])
    return [hit.row for hit in ranking]


def _jsonl(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _ranked(
    folder: Path, lines: Sequence[Mapping[str, object]], questions: Sequence[Question], k: int
) -> list[list[ScoredRow]]:
    # The place keeps equal texts apart, so that row and line agree.
    numbered = [{**line, "images": [f"{n}.png"], "kind": "page"} for n, line in enumerate(lines)]
    report = build_lines(folder / "index", folder / "in", {"a.lines": numbered})
    assert report.n_passages == len(lines)
    channel = LexicalChannel(store=open_store(folder / "index"))
    return channel.search(questions, k, [Filter()] * len(questions))
