"""Answers of a local model: their text, thoughts, numbers, and what they depend on."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.errors import MedragError
from medrag.generation.local import LocalGenerator
from medrag.generation.local.inputs import encode
from medrag.generation.local.replies import Replies, Teller, places_shown
from medrag.generation.regions import Shown
from medrag.generation.reply import Tags
from medrag.records import Hit, ImageRef, Passage, Prompt, Question, QuestionRegion, Source
from tests.contracts import check_generator
from tests.generation.local.vivid import (
    EVIDENCE,
    pictures,
    prompt,
    prompts,
    save_scripted,
    save_vivid,
)

_THINK, _ANSWER = ("<think>", "</think>"), ("<answer>", "</answer>")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_vivid("qwen2_5_vl", tmp_path_factory.mktemp("model"))


def _generator(folder: Path, **settings: Any) -> LocalGenerator:
    given = {"dtype": "float32", "device": "cpu", "attention": "eager", "max_tokens": 12}
    return LocalGenerator(model=str(folder), **(given | settings))  # type: ignore[arg-type]


def test_a_batch_answers_as_each_prompt_alone(folder: Path, tmp_path: Path) -> None:
    generator, asked = _generator(folder), prompts(tmp_path)
    together = generator.generate(asked)
    alone = [generator.generate([each])[0] for each in asked]
    assert [each.text for each in together] == [each.text for each in alone]
    assert generator.generate([]) == []
    assert all(each.option_scores == () for each in together)
    for each, one in zip(together, asked, strict=True):
        assert each.usage.prompt_tokens == generator.count_tokens(one)


def test_it_keeps_the_contract_of_generators(tmp_path: Path) -> None:
    source = Source("library", "book.txt", "0" * 64)
    passage = Passage("1", "text", "The heart is enlarged.", source)
    question = Question("What is enlarged?")
    told = Prompt(question, (Hit(passage, 1.0, 1),), (passage.text, question.text + "\n"))
    generator = _generator(save_scripted(tmp_path, "Yes. No"))
    check_generator(generator, [told, Prompt(question, (), (question.text,))])


def test_pieces_of_a_stream_are_the_text(folder: Path, tmp_path: Path) -> None:
    generator, asked = _generator(folder, max_tokens=40), prompts(tmp_path)
    expected = generator.generate(asked)
    several = 0
    for one, whole in zip(asked, expected, strict=True):
        told: list[str] = []
        streamed = generator.stream(one, told.append)
        assert "".join(told) == streamed.text == whole.text
        assert all(told)
        several += len(told) > 1
    assert several >= 4


def test_a_text_that_ends_is_read_to_its_end(tmp_path: Path) -> None:
    generator = _generator(save_scripted(tmp_path, "Yes. No"))
    [found] = generator.generate([prompt("is there?\n")])
    assert (found.text, found.finish_reason, found.thoughts) == ("Yes. No", "stop", "")
    assert found.log_probabilities is not None
    # The token that ends it was written, but is none of the text.
    n_tokens = len(generator._loaded.tokenizer.encode("Yes. No"))
    assert len(found.log_probabilities) == n_tokens
    assert found.usage.completion_tokens == n_tokens + 1


def test_a_text_that_is_cut_says_so(tmp_path: Path) -> None:
    generator = _generator(save_scripted(tmp_path, "Yes", ends=False), max_tokens=3)
    [found] = generator.generate([prompt("is there?\n")])
    assert (found.text, found.finish_reason) == ("YesYesYes", "length")
    assert found.usage.completion_tokens == 3


def test_a_model_that_computes_no_numbers_is_told(tmp_path: Path) -> None:
    generator = _generator(save_scripted(tmp_path, "Yes"))
    generator._loaded.model.get_output_embeddings().weight.data.fill_(float("nan"))
    with pytest.raises(MedragError, match="computed what is no number; set dtype: float32"):
        generator.generate([prompt("is there?\n")])


def test_thoughts_are_no_part_of_the_answer(tmp_path: Path) -> None:
    generator = _generator(save_scripted(tmp_path, "{a bc}Yes"), think=["{", "}"])
    told: list[str] = []
    found = generator.stream(prompt("is there?\n"), told.append)
    assert (found.text, found.thoughts, found.finish_reason) == ("Yes", "a bc", "stop")
    assert told == ["Yes"]
    assert found.log_probabilities is not None
    assert len(found.log_probabilities) == 1
    # All of its tokens were paid for.
    assert found.usage.completion_tokens == 8


def test_half_a_thought_is_no_answer(tmp_path: Path) -> None:
    generator = _generator(save_scripted(tmp_path, "{a bc"), think=["{", "}"])
    told: list[str] = []
    found = generator.stream(prompt("is there?\n"), told.append)
    assert (found.text, found.thoughts, found.finish_reason) == ("", "a bc", "unclosed")
    assert found.log_probabilities == ()
    assert told == []


def test_empty_tags_take_those_of_the_preset_away(tmp_path: Path) -> None:
    generator = _generator(save_scripted(tmp_path, "{a bc}Yes"), think=[])
    [found] = generator.generate([prompt("is there?\n")])
    assert (found.text, found.thoughts) == ("{a bc}Yes", "")


_WORDS = st.text("aé字 \n<", max_size=12)


@given(
    thoughts=_WORDS, before=st.sampled_from(["", "\n", " "]), answer=_WORDS, tagged=st.booleans()
)
def test_no_piece_is_a_thought_or_half_a_character(
    thoughts: str, before: str, answer: str, tagged: bool
) -> None:
    tags = Tags(_THINK, _ANSWER if tagged else None)
    held = f"<answer>{answer}</answer>" if tagged else answer
    replies = Replies(_Bytes(), tags)
    tokens = list(f"<think>{thoughts}</think>{before}{held}".encode())
    told: list[str] = []
    teller = Teller(replies, told.append, thinking=False)
    for n in range(1, len(tokens) + 1):
        teller.hear(tokens[:n])
    reply = replies.read(tokens, thinking=False)
    teller.end(reply.text)
    assert "".join(told) == reply.text == answer.strip()
    assert "\ufffd" not in "".join(told)
    assert bytes(tokens[reply.tokens]).decode().strip() == reply.text


class _Bytes:
    """A tokenizer of bytes."""

    all_special_tokens: Sequence[str] = ()
    added_tokens_decoder: dict[int, Any] = {}  # noqa: RUF012

    def decode(self, tokens: list[int], *, skip_special_tokens: bool) -> str:
        return bytes(tokens).decode(errors="replace")


def test_special_tokens_are_told_to_nobody(folder: Path) -> None:
    replies = _generator(folder)._replies
    tokens = replies.tokenizer.encode("<|vision_start|>Yes<|image_pad|>. No<|endoftext|>")
    reply = replies.read(tokens, thinking=False)
    assert reply.text == "Yes. No"
    assert reply.marked == "<|vision_start|>Yes<|image_pad|>. No<|endoftext|>"


def test_places_count_among_the_pictures_that_were_shown() -> None:
    shown = [Shown(0, 0, 0, 0), Shown(100, 50, 50, 25)]
    found = places_shown('{"bbox_2d": [5, 5, 10, 20]}', "resized", shown, n_evidence=0)
    assert found == (QuestionRegion(1, box=(10, 10, 20, 40)),)
    assert places_shown('{"bbox_2d": [5, 5, 10, 20]}', None, shown, n_evidence=0) == ()


def test_only_open_questions_are_drawn(folder: Path) -> None:
    greedy, drawn = _generator(folder), _generator(folder, temperature=5.0)
    closed = [
        prompt(EVIDENCE, text="Is there an effusion?"),
        prompt(EVIDENCE, text="Which?", options=("one", "two")),
    ]
    free = prompt(EVIDENCE, text="What does it show?")
    expected = [each.text for each in greedy.generate([*closed, free])]
    found = [each.text for each in drawn.generate([*closed, free])]
    assert found[:2] == expected[:2]
    assert found[2] != expected[2]
    assert drawn.generate([free])[0].text == drawn.stream(free, [].append).text == found[2]


def test_samples_depend_on_seed_and_prompt_alone(folder: Path, tmp_path: Path) -> None:
    asked = prompts(tmp_path)[:3]
    generator = _generator(folder, temperature=2.0)
    found = [[each.text for each in drawn] for drawn in generator.sample(asked, 3)]
    assert [len(set(texts)) for texts in found] == [3, 3, 3]
    again = [[each.text for each in drawn] for drawn in generator.sample(asked[::-1], 3)]
    assert again == found[::-1]
    other = _generator(folder, temperature=2.0, seed=1).sample(asked[:1], 3)[0]
    assert {each.text for each in other}.isdisjoint(found[0])
    fewer = generator.sample(asked[:1], 2)[0]
    assert [each.text for each in fewer] == found[0][:2]
    likeliest = _generator(folder, temperature=0.0, sample_temperature=2.0)
    assert [[each.text for each in drawn] for drawn in likeliest.sample(asked, 3)] == found


def test_the_name_tells_settings_but_not_the_machine(folder: Path) -> None:
    name = _generator(folder).name
    assert _generator(folder, trust_remote_code=True).name == name
    changed = {"device": None, "attention": "sdpa", "batch_tokens": 64, "reuse_prefix": False}
    # A run goes on with these changed, under one name.
    assert changed.keys() == LocalGenerator.beside
    assert _generator(folder, **changed).name == name
    settings: list[dict[str, Any]] = [
        {"max_tokens": 5}, {"temperature": 1.0}, {"sample_temperature": 1.0},
        {"repetition_penalty": 1.2},
        {"think": _THINK}, {"max_pixels": 4096}, {"coordinates": "unit"}, {"score_options": True},
    ]  # fmt: skip
    names = {_generator(folder, **each).name for each in settings}
    assert len({name, *names}) == len(settings) + 1


def test_it_says_what_it_reads(folder: Path, tmp_path: Path) -> None:
    generator = _generator(folder, max_tokens=100)
    assert generator.room == 8192 - 100
    assert generator.max_images is None
    assert generator.trained_multi_image
    assert generator.context_pixels is None
    assert _generator(folder, context_pixels=999).context_pixels == 999
    assert generator.least_pixels == 112 * 112
    assert _generator(save_scripted(tmp_path, "Yes")).max_images == 0
    assert generator.numerics == "cpu float32"


def test_a_prompt_that_is_too_long_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"takes \d+ tokens, and .* reads 8180 beside 12"):
        _generator(folder).generate([prompt("heart " * 9000)])


def test_an_answer_longer_than_all_that_the_model_reads_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="reads 8192 tokens, and max_tokens is 9000"):
        _ = _generator(folder, max_tokens=9000).room


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1.0}, "temperature must be at least 0"),
        ({"temperature": float("nan")}, "temperature must be at least 0"),
        ({"sample_temperature": 0.0}, "sample_temperature must be above 0"),
        ({"top_p": 0.0}, "top_p must be above 0"),
        ({"repetition_penalty": -1.0}, "repetition_penalty must be positive"),
        ({"max_tokens": 0}, "max_tokens must be at least 1"),
        ({"batch_tokens": 0}, "batch_tokens must be at least 1"),
        ({"option_form": "words"}, "option_form must be one of text, letter, lettered"),
        ({"coordinates": "metres"}, "coordinates must be one of"),
        ({"think": ["<think>"]}, "think must be an opening and a closing tag"),
        ({"answer": "ab"}, "answer must be an opening and a closing tag"),
        ({"dtype": "int8"}, "dtype must be one of"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_at_once(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        LocalGenerator(model="no-such-model", **settings)


def test_no_samples_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="n must be at least 1"):
        _generator(folder).sample([prompt("what?")], 0)


def test_turns_and_a_moved_picture_are_part_of_a_prompt(folder: Path, tmp_path: Path) -> None:
    a, b, _ = pictures(tmp_path)
    generator = _generator(folder)
    one = prompt(EVIDENCE, a, "what?")
    other = Prompt(replace(one.question, images=(b,)), (), (EVIDENCE, b, "what?"))
    texts = [each.text for each in generator.generate([one, other])]
    assert texts[0] != texts[1]
    (tmp_path / "again").mkdir()
    moved = ImageRef(str(tmp_path / "again" / "x.png"))
    Path(moved.path).write_bytes(Path(a.path).read_bytes())
    assert generator.generate([prompt(EVIDENCE, moved, "what?")])[0].text == texts[0]
    assert len(encode(generator._loaded, one).ids) > 0
