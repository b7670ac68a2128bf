"""The remote generator against the server of transformers, on models of random weights."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from medrag.errors import MedragError
from medrag.generation.remote import RemoteGenerator
from medrag.records import Exchange, ImageRef, Prompt, Question
from tests.generation.remote.chats import picture, prompt
from tests.integrations.tiny_chat import save_tiny_chat, served
from tests.servers import Serve, faulty, forwarding

pytestmark = [
    pytest.mark.slow,
    # Torch builds parts of itself at import with what will be gone.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
pytest.importorskip("transformers")
pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

FAMILIES = ("qwen2_5_vl", "llava")


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a server, and the name of its model of texts."""
    folder = tmp_path_factory.mktemp("chat")
    save_tiny_chat(folder)
    with served(folder) as url:
        yield url, str(folder)


@pytest.fixture(scope="module", params=FAMILIES)
def looking(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """The address of a server, and the name of its model of pictures."""
    from tests.generation.tiny_vlms import save_tiny

    folder = tmp_path_factory.mktemp("looking")
    save_tiny(request.param, folder)
    with served(folder) as url:
        yield url, str(folder)


def remote(server: tuple[str, str], **options: object) -> RemoteGenerator:
    url, model = server
    return RemoteGenerator(  # type: ignore[arg-type]
        url=url, model=model, **{"max_tokens": 12, "timeout": 240, **options}
    )


def with_pictures(folder: Path, n: int) -> Prompt:
    images = [picture(folder, f"{'x' * (i + 1)}.png", (64, 48)) for i in range(n)]
    parts: list[str | ImageRef] = []
    for number, image in enumerate(images, start=1):
        parts += [f"Picture {number}:", image]
    return Prompt(Question("What is seen?", images=tuple(images)), (), (*parts, "What is seen?"))


def test_texts_are_answered_alike_whole_streamed_and_in_batches(chat: tuple[str, str]) -> None:
    asked = [prompt("Is the lung clear?"), prompt("Which verdict?"), prompt("No.")]
    first, second, third = remote(chat, concurrency=2).generate(asked)
    for each in (first, second, third):
        assert each.usage.prompt_tokens
        assert each.usage.completion_tokens
        assert each.finish_reason in ("stop", "length")
    assert len({first.text, second.text, third.text}) > 1
    pieces: list[str] = []
    streamed = remote(chat).stream(asked[0], pieces.append)
    assert "".join(pieces) == streamed.text == first.text
    assert streamed.usage == first.usage
    assert [each.text for each in remote(chat, stream_responses=True).generate(asked)] == [
        first.text, second.text, third.text
    ]  # fmt: skip


def test_a_conversation_goes_on(chat: tuple[str, str]) -> None:
    asked = prompt("Is the lung clear?", turns=(Exchange("supported", ("Say it again.",)),))
    (generation,) = remote(chat).generate([asked])
    (other,) = remote(chat).generate([prompt("Is the lung clear?")])
    assert generation.usage.prompt_tokens > other.usage.prompt_tokens  # type: ignore[operator]


def test_equal_seeds_draw_equal_texts(chat: tuple[str, str]) -> None:
    # One at a time: the server seeds all of its work at once.
    options = {"concurrency": 1, "seed": 3, "sample_temperature": 2.0}
    extra = {"generation_config": '{"do_sample": true, "max_new_tokens": 12}'}
    first, again = (
        remote(chat, extra=extra, **options).sample([prompt("Is the lung clear?")], 3)
        for _ in range(2)
    )
    assert [each.text for each in first[0]] == [each.text for each in again[0]]
    assert len({each.text for each in first[0]}) > 1


def test_a_model_that_is_not_there_is_told(chat: tuple[str, str]) -> None:
    with pytest.raises(MedragError, match="no-such-model"):
        remote((chat[0], "no-such-model"), tries=1).generate([prompt("a")])


def test_faults_on_the_way_to_a_real_server_change_nothing(
    chat: tuple[str, str], serve: Serve
) -> None:
    asked = [prompt("Is the lung clear?"), prompt("Which verdict?")]
    wanted = [each.text for each in remote(chat).generate(asked)]
    for streams in (False, True):
        faults = ["drop", "busy", "error", "slow", "drop"]
        proxy = serve(faulty(forwarding(chat[0]), faults))
        through = remote(
            (proxy.url, chat[1]), stream_responses=streams, wait=0.01, concurrency=1, tries=9
        )
        assert [each.text for each in through.generate(asked)] == wanted
        assert len(proxy.requests) == 2 + len(faults) - faults.count("slow")


@pytest.mark.parametrize("n", [0, 1, 3])
def test_pictures_are_looked_at(looking: tuple[str, str], tmp_path: Path, n: int) -> None:
    asked = with_pictures(tmp_path, n)
    (generation,) = remote(looking).generate([asked])
    assert generation.usage.completion_tokens
    assert generation.usage.prompt_tokens
    if n:
        bare = Prompt(asked.question, (), tuple(p for p in asked.parts if isinstance(p, str)))
        (blind,) = remote(looking).generate([bare])
        # A picture is tokens of its own.
        assert generation.usage.prompt_tokens > blind.usage.prompt_tokens + n  # type: ignore[operator]
    pieces: list[str] = []
    streamed = remote(looking).stream(asked, pieces.append)
    assert "".join(pieces) == streamed.text
    # The server may keep a half of a character to itself that the last token begins.
    assert streamed.text.rstrip("\ufffd ") == generation.text.rstrip("\ufffd ")


def test_more_pictures_are_more_tokens(looking: tuple[str, str], tmp_path: Path) -> None:
    one, three = remote(looking).generate([with_pictures(tmp_path, n) for n in (1, 3)])
    assert one.usage.prompt_tokens is not None
    assert three.usage.prompt_tokens is not None
    assert three.usage.prompt_tokens > one.usage.prompt_tokens
