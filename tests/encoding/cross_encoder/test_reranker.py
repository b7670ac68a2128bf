import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import CrossEncoder

from medrag.encoding.cross_encoder import CrossEncoderReranker
from medrag.errors import RecipeError
from medrag.records import Hit, Part, Question
from tests.encoding.cross_encoder import tiny_cross_encoders
from tests.encoding.tiny_texts import LONG, passage, save_bert, save_sentence

TEXTS = ["the heart pumps blood", "bone", "two layers of skin, and what is air?", "lung air lung"]
QUESTION = Question("what is the heart?")


def hits(texts: Sequence[str] = TEXTS) -> list[Hit]:
    return [
        Hit(replace(passage(text), id=f"{n}"), 1 / n, n, parts={"lexical": Part(n, 1 / n)})
        for n, text in enumerate(texts, start=1)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_cross_encoders.save_classifier(tmp_path_factory.mktemp("cross") / "medcpt")


def tiny(folder: str, **options: Any) -> CrossEncoderReranker:
    return CrossEncoderReranker(model=folder, **{"device": "cpu", "dtype": "float32", **options})


def scores(ranking: Sequence[Hit]) -> dict[str, float]:
    return {hit.passage.id: hit.score for hit in ranking}


def test_scores_are_the_logits_that_sentence_transformers_gives(folder: str) -> None:
    import torch

    model = CrossEncoder(folder, device="cpu", activation_fn=torch.nn.Identity())
    expected = model.predict([(QUESTION.text, text) for text in TEXTS])
    [found] = tiny(folder).rerank([QUESTION], [hits()])
    assert scores(found) == {
        str(n): pytest.approx(float(score), abs=1e-4) for n, score in enumerate(expected, start=1)
    }
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
    assert [hit.rank for hit in found] == [1, 2, 3, 4]


def test_a_hit_keeps_its_parts_and_gets_one_more(folder: str) -> None:
    before = hits()
    [found] = tiny(folder).rerank([QUESTION], [before])
    assert before == hits()
    for hit in found:
        assert hit.parts == {
            "lexical": before[int(hit.passage.id) - 1].parts["lexical"],
            "cross_encoder": Part(hit.rank, hit.score),
        }


@pytest.mark.parametrize("save", ["save_cross_encoder", "save_language_model"])
def test_other_cross_encoders_of_sentence_transformers_load(save: str, tmp_path: Path) -> None:
    import torch

    folder = getattr(tiny_cross_encoders, save)(tmp_path / "model")
    model = CrossEncoder(folder, device="cpu", activation_fn=torch.nn.Identity())
    expected = model.predict([(QUESTION.text, text) for text in TEXTS])
    [found] = tiny(folder).rerank([QUESTION], [hits()])
    assert scores(found) == {
        str(n): pytest.approx(float(score), abs=1e-3) for n, score in enumerate(expected, start=1)
    }


def test_the_prompt_of_a_model_is_written_before_its_texts(tmp_path: Path) -> None:
    import torch

    folder = tiny_cross_encoders.save_cross_encoder(tmp_path / "model", prompt="query: ")
    model = CrossEncoder(folder, device="cpu", activation_fn=torch.nn.Identity())
    expected = model.predict([(QUESTION.text, text) for text in TEXTS])
    [found] = tiny(folder).rerank([QUESTION], [hits()])
    assert scores(found)["1"] == pytest.approx(float(expected[0]), abs=1e-4)


def test_scores_do_not_depend_on_the_batch(folder: str) -> None:
    questions = [QUESTION, Question("bone and blood", options=("skin", "air"))]
    together = tiny(folder).rerank(questions, [hits(), hits(TEXTS[:2])])
    alone = [
        tiny(folder, batch_tokens=1).rerank([question], [ranking])[0]
        for question, ranking in zip(questions, [hits(), hits(TEXTS[:2])], strict=True)
    ]
    for one, two in zip(together, alone, strict=True):
        assert scores(one) == pytest.approx(scores(two), abs=2e-4)


def test_a_long_passage_is_read_whole_and_its_best_window_counts(folder: str) -> None:
    reranker = tiny(folder)
    model = reranker._loaded
    [[short], windows] = model.pairs(QUESTION.text, [("", "bone"), ("skin", LONG)])
    assert short.text == "bone"
    assert len(windows) > 3
    assert max(window.n for window in windows) <= model.limit == 64
    assert all(window.text.startswith("skin\n") for window in windows)
    read = {word for window in windows for word in window.text.split()}
    assert read >= set(LONG.split())
    [found] = reranker.rerank([QUESTION], [hits([LONG])])
    [windows] = model.pairs(QUESTION.text, [("", LONG)])
    assert found[0].score == pytest.approx(model.scores(windows).max(), abs=1e-4)


def test_counted_tokens_are_those_that_the_model_gets(folder: str) -> None:
    model = tiny(folder)._loaded
    for several in model.pairs(QUESTION.text, [("", text) for text in [*TEXTS, LONG]]):
        for pair in several:
            assert int(model._features([pair])["attention_mask"].sum()) == pair.n


def test_a_question_that_is_too_long_is_cut_and_the_log_says_so(
    folder: str, caplog: pytest.LogCaptureFixture
) -> None:
    [found] = tiny(folder).rerank([Question(LONG)], [hits()])
    assert len(found) == 4
    assert "is cut to 30, half of what medcpt reads" in caplog.text


def test_hits_without_words_come_last_and_without_a_part(folder: str) -> None:
    [found] = tiny(folder).rerank([QUESTION], [hits(["", "bone", " ", "lung"])])
    assert {hit.passage.id for hit in found[:2]} == {"2", "4"}
    assert [hit.passage.id for hit in found[2:]] == ["1", "3"]
    assert all("cross_encoder" not in hit.parts for hit in found[2:])
    assert found[3].score == found[1].score


def test_nothing_to_read_changes_nothing_and_loads_nothing(tmp_path: Path) -> None:
    reranker = tiny(str(tmp_path / "nowhere"))
    pictured = Question(images=("a.png",))
    given = [hits(), [], hits(["", ""])]
    assert reranker.rerank([pictured, QUESTION, QUESTION], given) == given
    assert reranker.rerank([], []) == []


def test_equal_passages_keep_their_order(folder: str) -> None:
    [found] = tiny(folder).rerank([QUESTION], [hits(["bone", "bone", "bone"])])
    assert [hit.passage.id for hit in found] == ["1", "2", "3"]


def test_no_network_is_asked_for_a_folder(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*address: object) -> None:
        raise AssertionError(f"asked for {address}")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert len(tiny(folder).rerank([QUESTION], [hits()])[0]) == 4


def test_a_folder_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="nowhere does not exist"):
        tiny(str(tmp_path / "nowhere")).rerank([QUESTION], [hits()])


def test_a_model_of_single_texts_is_refused(tmp_path: Path) -> None:
    bert = save_bert(tmp_path / "bert", limit=64)
    with pytest.raises(RecipeError, match=r"does not load as a cross-encoder.*classifier"):
        tiny(bert).rerank([QUESTION], [hits()])
    sentence = save_sentence(tmp_path / "sentence")
    with pytest.raises(RecipeError, match="holds a SentenceTransformer"):
        tiny(sentence).rerank([QUESTION], [hits()])


def test_a_classifier_of_several_classes_is_refused(tmp_path: Path) -> None:
    folder = tiny_cross_encoders.save_classifier(tmp_path / "three", n_labels=3)
    with pytest.raises(RecipeError, match="gives 3 numbers for a pair"):
        tiny(folder).rerank([QUESTION], [hits()])


@pytest.mark.parametrize("lost", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_folder_that_lacks_a_file_is_told(lost: str, tmp_path: Path) -> None:
    folder = Path(tiny_cross_encoders.save_classifier(tmp_path / "model"))
    (folder / lost).unlink()
    with pytest.raises(RecipeError, match=str(folder)):
        tiny(str(folder)).rerank([QUESTION], [hits()])


def test_a_model_that_reads_too_little_is_refused(folder: str) -> None:
    with pytest.raises(RecipeError, match="reads 20 tokens at once, of which 17 are left"):
        tiny(folder, tokens=20).rerank([QUESTION], [hits()])


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="dtype must be"):
        CrossEncoderReranker(model="m", dtype="int8")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="tokens must be at least 1"):
        CrossEncoderReranker(model="m", tokens=0)


def test_scores_are_no_share_of_anything(folder: str) -> None:
    # A logit: outside [0, 1] for at least one of the pairs of a model drawn at random.
    [found] = tiny(folder).rerank([QUESTION], [hits()])
    assert np.any([not 0 <= hit.score <= 1 for hit in found])
