"""An LLM of LlamaIndex as a generator: what it is told, what is read, and its failures."""

import base64
import io
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ImageBlock,
    LLMMetadata,
    LogProb,
    TextBlock,
    ThinkingBlock,
)
from llama_index.core.bridge.pydantic import BaseModel, Field
from llama_index.core.llms import CustomLLM, MockLLM
from PIL import Image
from pydantic import SecretStr

from medrag.answering import OnePassAnswerer
from medrag.errors import MedragError
from medrag.integrations.llama_index import LlamaIndexGenerator
from medrag.protocols import Limited, Streaming
from medrag.records import (
    Exchange,
    Generation,
    Hit,
    ImageRef,
    Passage,
    Prompt,
    Question,
    Selection,
    Source,
    Usage,
)
from tests.contracts import check_generator

Says = Callable[[Sequence[ChatMessage]], ChatResponse]


class Chat(CustomLLM):
    """A chat model that answers as a test says, and keeps what it was told."""

    says: Any
    pieces: Any = None
    told: list[Any] = Field(default_factory=list)
    chats: bool = True
    api_key: Any = ""
    temperature: float = 0.0
    window: int = 8192

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(
            is_chat_model=self.chats, model_name="m", context_window=self.window, num_output=256
        )

    def chat(self, messages: Sequence[ChatMessage], **_: Any) -> ChatResponse:
        self.told.append(list(messages))
        return self.says(messages)  # type: ignore[no-any-return]

    def stream_chat(self, messages: Sequence[ChatMessage], **_: Any) -> Any:
        self.told.append(list(messages))
        if self.pieces is None:
            raise NotImplementedError
        return iter(self.pieces)

    def complete(self, prompt: str, **_: Any) -> Any:
        raise NotImplementedError

    def stream_complete(self, prompt: str, **_: Any) -> Any:
        raise NotImplementedError


def response(text: str, **more: Any) -> ChatResponse:
    return ChatResponse(message=ChatMessage(role="assistant", content=text), **more)


def saying(text: str, **more: Any) -> Chat:
    return Chat(says=lambda _: response(text, **more))


def asked(text: str, *images: ImageRef, **more: Any) -> Prompt:
    return Prompt(Question(text, images=images), (), (*images, text), **more)


def only(llm: Any, prompt: Prompt, **options: Any) -> Generation:
    (generation,) = LlamaIndexGenerator(llm=llm, **options).generate([prompt])
    return generation


def picture(folder: Path, size: tuple[int, int] = (60, 40)) -> ImageRef:
    noise = np.random.default_rng(1).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "a.png")
    return ImageRef(str(folder / "a.png"))


def test_it_keeps_the_contract_of_generators() -> None:
    def says(messages: Sequence[ChatMessage]) -> ChatResponse:
        return response("Four [1]." if "evidence" in str(messages[0].content) else "Unknown.")

    hit = Hit(Passage("p", "text", "Four chambers.", Source("c", "d", "0" * 64)), 1.0, 1)
    generator = LlamaIndexGenerator(llm=Chat(says=says))
    check_generator(
        generator, [Prompt(Question("How many?"), (hit,), ("evidence",)), asked("How many?")]
    )
    assert isinstance(generator, Limited)
    assert isinstance(generator, Streaming)


def test_an_llm_of_the_library_itself_will_do() -> None:
    assert only(MockLLM(), asked("Is it enlarged?")).text == "user: Is it enlarged?\nassistant:"


def test_words_pictures_and_turns_are_told_in_order(tmp_path: Path) -> None:
    llm, image = saying("Yes."), picture(tmp_path)
    only(llm, asked("Look.", image, turns=(Exchange("Where?", ("Here:", image)),)))
    ((first, reply, second),) = llm.told
    assert [each.role.value for each in (first, reply, second)] == ["user", "assistant", "user"]
    assert [type(block) for block in first.blocks] == [ImageBlock, TextBlock]
    assert first.blocks[1].text == "Look."
    assert reply.content == "Where?"
    assert [type(block) for block in second.blocks] == [TextBlock, ImageBlock]
    sent = Image.open(first.blocks[0].resolve_image())
    np.testing.assert_array_equal(np.asarray(sent), np.asarray(Image.open(image.path)))
    assert first.blocks[0].image_mimetype == "image/png"


def test_a_picture_is_no_larger_than_asked(tmp_path: Path) -> None:
    llm = saying("Yes.")
    only(llm, asked("Look.", picture(tmp_path, (100, 50))), max_pixels=500, image_format="jpeg")
    block = llm.told[0][0].blocks[0]
    sent = Image.open(io.BytesIO(base64.b64decode(block.image)))
    assert sent.format == "JPEG"
    assert 400 < sent.width * sent.height <= 500


def test_thoughts_are_set_apart_however_they_come() -> None:
    tagged = only(saying("<think>Hm.</think> Yes [1]."), asked("?"))
    assert (tagged.text, tagged.thoughts) == ("Yes [1].", "Hm.")
    blocks = [ThinkingBlock(content="Hm."), TextBlock(text="Yes [1].")]
    apart = ChatResponse(message=ChatMessage(role="assistant", blocks=blocks))
    assert only(Chat(says=lambda _: apart), asked("?")) == tagged
    left = only(saying("<think>Hm."), asked("?"))
    assert (left.text, left.finish_reason) == ("", "unclosed")
    boxed = only(saying("Sure: <answer>B</answer>"), asked("?"), answer=("<answer>", "</answer>"))
    assert boxed.text == "B"


class Counted(BaseModel):
    """An object of another library."""

    usage_metadata: dict[str, int]


@pytest.mark.parametrize(
    "more",
    [
        {"additional_kwargs": {"prompt_tokens": 5, "completion_tokens": 2}},
        {"raw": {"usage": {"prompt_tokens": 5, "completion_tokens": 2}}},
        {"raw": {"usage": SimpleNamespace(), "prompt_eval_count": 5, "eval_count": 2}},
        {"raw": {"usage": {"input_tokens": 5, "output_tokens": 2}}},
        {"raw": Counted(usage_metadata={"prompt_token_count": 5, "candidates_token_count": 2})},
    ],
)
def test_what_a_reply_took_is_read_in_the_words_of_each_service(more: dict[str, Any]) -> None:
    assert only(saying("Yes.", **more), asked("?")).usage == Usage(5, 2)


@pytest.mark.parametrize("raw", [None, 3, {}, {"choices": []}, {"usage": {"prompt_tokens": "5"}}])
def test_what_is_not_told_is_not_known(raw: Any) -> None:
    generation = only(saying("Yes.", raw=raw), asked("?"))
    assert generation == Generation("Yes.")


def written(token: str, log_probability: float) -> LogProb:
    return LogProb(token=token, logprob=log_probability)


def test_probabilities_are_those_of_the_tokens_that_were_written() -> None:
    content = [{"token": t, "logprob": p} for t, p in (("<think>x</think>", -1.0), ("Yes", -0.5))]
    raw = {"choices": [{"logprobs": {"content": content}, "finish_reason": "length"}]}
    generation = only(saying("<think>x</think>Yes", raw=raw), asked("?"))
    assert generation.log_probabilities == (-0.5,)
    assert generation.finish_reason == "length"
    likeliest = [[written("Yes", -0.25), written("No", -2.0)]]
    assert only(saying("Yes", logprobs=likeliest), asked("?")).log_probabilities == (-0.25,)
    # The likeliest token was not the one that was drawn.
    assert only(saying("No", logprobs=likeliest), asked("?")).log_probabilities is None
    broken = [[written("Yes", -math.inf)]]
    assert only(saying("Yes", logprobs=broken), asked("?")).log_probabilities is None


def test_a_refusal_abstains() -> None:
    raw = {"choices": [{"message": {"refusal": "I cannot."}}]}
    generation = only(saying("", raw=raw), asked("?"))
    assert (generation.text, generation.abstained) == ("I cannot.", True)


def streamed(*texts: str) -> list[ChatResponse]:
    return [response(text, delta="") for text in texts]


def test_an_answer_is_told_while_it_comes_and_thoughts_are_not() -> None:
    last = response("<think>Hm.</think>Yes, it is.", raw={"usage": {"prompt_tokens": 5,
                    "completion_tokens": 2}, "choices": [{"finish_reason": "stop"}]})  # fmt: skip
    llm = Chat(says=None, pieces=[*streamed("<think>", "<think>Hm.</think>Yes, "), last])
    told: list[str] = []
    generation = LlamaIndexGenerator(llm=llm).stream(asked("?"), told.append)
    assert "".join(told) == generation.text == "Yes, it is."
    assert told[0] == "Yes,"
    assert generation.thoughts == "Hm."
    assert generation.usage == Usage(5, 2)


def test_a_listener_that_fails_is_not_taken_for_the_llm() -> None:
    def gone(_: str) -> None:
        raise BrokenPipeError("nobody listens")

    generator = LlamaIndexGenerator(llm=Chat(says=None, pieces=streamed("Yes. ", "Yes. It is.")))
    with pytest.raises(BrokenPipeError):
        generator.stream(asked("?"), gone)


def test_an_llm_that_breaks_off_is_named() -> None:
    def pieces() -> Iterator[ChatResponse]:
        yield response("Yes, ")
        raise ConnectionError("reset")

    told: list[str] = []
    generator = LlamaIndexGenerator(llm=Chat(says=None, pieces=pieces()))
    with pytest.raises(MedragError, match=r"failed \(ConnectionError: reset\)"):
        generator.stream(asked("?"), told.append)
    assert told == ["Yes,"]


def test_an_llm_that_cannot_stream_tells_all_at_once() -> None:
    told: list[str] = []
    generation = LlamaIndexGenerator(llm=saying("Yes.")).stream(asked("?"), told.append)
    assert told == [generation.text] == ["Yes."]


@pytest.mark.parametrize("key", ["sk-very-secret", SecretStr("sk-very-secret")])
def test_a_failure_names_the_llm_and_not_its_key(key: Any) -> None:
    def fails(_: Any) -> ChatResponse:
        raise RuntimeError("401: wrong key sk-very-secret")

    llm = Chat(says=fails, api_key=key)
    with pytest.raises(MedragError, match=r"llama_index/Chat/m/\w+ failed \(RuntimeError: 401: "
                       r"wrong key \[key\]\)") as caught:  # fmt: skip
        only(llm, asked("?"))
    assert "very-secret" not in str(caught.value)
    with pytest.raises(MedragError, match=r"reply without text"):
        only(saying(""), asked("?"))


def test_a_failing_prompt_of_a_pipeline_is_an_answer_with_an_error() -> None:
    def says(messages: Sequence[ChatMessage]) -> ChatResponse:
        if "second" in str(messages[0].content):
            raise OSError("the server is gone")
        return response("Yes.")

    answerer = OnePassAnswerer(generator=LlamaIndexGenerator(llm=Chat(says=says)))
    questions = [Question("the first?", id="1"), Question("the second?", id="2")]
    first, second = answerer.answer(questions, [Selection(())] * 2)
    assert first.text == "Yes."
    assert "the server is gone" in str(second.error)


def test_a_model_of_words_is_shown_no_picture(tmp_path: Path) -> None:
    llm = Chat(says=lambda _: response("Yes."), chats=False)
    generator = LlamaIndexGenerator(llm=llm)
    assert (generator.max_images, generator.looks) == (0, False)
    with pytest.raises(ValueError, match="shows 1 images, and m takes 0"):
        generator.generate([asked("?", picture(tmp_path))])
    assert LlamaIndexGenerator(llm=llm, max_images=2).looks


def test_the_room_is_what_the_llm_does_not_need_for_its_answer() -> None:
    assert LlamaIndexGenerator(llm=saying("x")).room == 8192 - 256
    assert LlamaIndexGenerator(llm=saying("x"), room=1000).room == 1000 - 256
    small = Chat(says=None, window=200)
    with pytest.raises(ValueError, match="context of 200 tokens leaves no room"):
        LlamaIndexGenerator(llm=small)


def test_the_name_tells_settings_apart_and_holds_no_key() -> None:
    def name(**more: Any) -> str:
        return LlamaIndexGenerator(llm=Chat(says=None, **more)).name

    assert name() == name(api_key="sk-very-secret")
    assert name() != name(temperature=0.5)


def test_what_is_no_llm_is_refused() -> None:
    with pytest.raises(TypeError, match="must be an LLM of LlamaIndex, got str"):
        LlamaIndexGenerator(llm="gpt")
    with pytest.raises(ValueError, match="no preset 'nonesuch'"):
        LlamaIndexGenerator(llm=saying("x"), preset="nonesuch")
