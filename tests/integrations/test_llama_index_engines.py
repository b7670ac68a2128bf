"""The query engines of LlamaIndex over a library of medrag, and its LLMs as readers of medrag."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ImageBlock, LLMMetadata
from llama_index.core.bridge.pydantic import Field
from llama_index.core.llms import CustomLLM
from llama_index.core.query_engine import CitationQueryEngine, RetrieverQueryEngine
from llama_index.core.schema import QueryBundle

from medrag import Question, build_index, load_pipeline
from medrag.answering import OnePassAnswerer
from medrag.config import Index
from medrag.integrations.llama_index import LlamaIndexGenerator, MedragRetriever
from tests.generation.tiny_vlms import save_tiny
from tests.integrations.tiny_chat import served

LIBRARY = Path(__file__).parents[2] / "corpora" / "sample" / "library"
RADIOGRAPH = LIBRARY / "radiographs" / "s01.jpg"
ASKED = "Which figure shows a left pleural effusion?"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """The sample book: text, tables, figures and pages."""
    folder = tmp_path_factory.mktemp("engines") / "index"
    with build_index(folder, sources=[LIBRARY / "textbook.pdf"]) as opened:
        yield opened


class Told(CustomLLM):
    """A chat model that says one thing, and keeps what it was told."""

    says: str = "Figure 1.5 [1]."
    told: list[Any] = Field(default_factory=list)

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(is_chat_model=True, model_name="told", context_window=32768)

    def chat(self, messages: Sequence[ChatMessage], **_: Any) -> ChatResponse:
        self.told.append(list(messages))
        return ChatResponse(message=ChatMessage(role="assistant", content=self.says))

    def complete(self, prompt: str, **_: Any) -> Any:
        raise NotImplementedError

    def stream_complete(self, prompt: str, **_: Any) -> Any:
        raise NotImplementedError


def check_place(source: Any, index: Index) -> None:
    """Check that a source node still leads to page and boxes of its passage."""
    passage = index.passages.by_id(source.metadata["passage_id"])  # type: ignore[attr-defined]
    regions = passage.source.regions
    assert source.metadata["page"] == regions[0].page
    assert source.metadata["boxes"] == [list(each.box) for each in regions if each.box]
    assert source.metadata["document"] == "textbook.pdf"


def test_a_multimodal_engine_shows_the_model_pictures_with_their_words(index: Index) -> None:
    llm = Told()
    engine = RetrieverQueryEngine.from_args(MedragRetriever(index, k=4), llm=llm, multimodal=True)
    answer = engine.query(ASKED)
    assert str(answer) == "Figure 1.5 [1]."
    blocks = [block for message in llm.told[0] for block in message.blocks]
    words = "\n".join(getattr(block, "text", "") for block in blocks)
    shown = [each for each in answer.source_nodes if each.metadata["kind"] == "figure"]
    assert shown
    assert sum(isinstance(block, ImageBlock) for block in blocks) == sum(
        each.metadata["kind"] in ("figure", "page") for each in answer.source_nodes
    )
    assert all(each.text in words for each in shown)
    assert "page: 6" in words
    for each in answer.source_nodes:
        check_place(each, index)


def test_an_engine_of_words_reads_captions(index: Index) -> None:
    llm = Told()
    engine = RetrieverQueryEngine.from_args(MedragRetriever(index, k=2), llm=llm)
    answer = engine.query(ASKED)
    assert answer.source_nodes[0].text in str(llm.told[0])


@pytest.mark.parametrize("multimodal", [True, False])
def test_sources_of_a_citing_engine_lead_to_page_and_boxes(index: Index, multimodal: bool) -> None:
    llm = Told()
    engine = CitationQueryEngine.from_args(
        None, retriever=MedragRetriever(index, k=3), llm=llm, multimodal=multimodal
    )
    answer = engine.query(QueryBundle(ASKED, image_path=str(RADIOGRAPH)))
    assert len(answer.source_nodes) >= 3
    for number, each in enumerate(answer.source_nodes, start=1):
        assert each.node.get_content().startswith(f"Source {number}:")
        check_place(each, index)
    told = "\n".join(str(message.content) for message in llm.told[0])
    assert all(each.node.get_content().strip() in told for each in answer.source_nodes)


@pytest.mark.slow
def test_engines_and_answers_go_through_a_real_server(index: Index, tmp_path: Path) -> None:
    openai_like = pytest.importorskip("llama_index.llms.openai_like")
    save_tiny("qwen2_vl", tmp_path)
    with served(tmp_path) as url:
        llm = openai_like.OpenAILike(
            model=str(tmp_path), api_base=f"{url}/v1", api_key="none", is_chat_model=True,
            max_tokens=8, temperature=0.0, context_window=8192, max_retries=0,
        )  # fmt: skip
        retriever = MedragRetriever(index, k=2)
        engines = [
            RetrieverQueryEngine.from_args(retriever, llm=llm, multimodal=True),
            CitationQueryEngine.from_args(None, retriever=retriever, llm=llm, multimodal=True),
        ]
        for engine in engines:
            answer = engine.query(ASKED)
            assert str(answer).strip()
            for each in answer.source_nodes:
                check_place(each, index)
        pipeline = load_pipeline("sample", index=index)
        pipeline.answerer = OnePassAnswerer(generator=LlamaIndexGenerator(llm=llm))
        told: list[str] = []
        question = Question(text="Is there an effusion?", images=(RADIOGRAPH,))
        streamed, whole = pipeline.stream(question, told.append), pipeline.answer(question)
    # A model of random weights says anything; but always the same, at temperature 0. Bytes at the
    # end of a stream that make no character are not sent by the server.
    assert "".join(told).strip()
    assert streamed.text.rstrip("\ufffd") == whole.text.rstrip("\ufffd")
    assert whole.usage.completion_tokens == 8
    assert whole.model.startswith("llama_index/OpenAILike/")
