"""What an agent is shown of pages: pictures and their parts, or words alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from medrag.images import read_image
from medrag.records import ImageRef, Prompt, ToolResult
from medrag.tools.crop import CropTool
from tests.retrieval.agentic.made import QUESTION, acts, is_router, page, retrieved, routed, steps
from tests.retrieval.asking.scripted import Counting, images_of, in_turn
from tests.retrieval.shelf import Shelf, ids


def test_the_agent_looks_closer_at_a_part_of_the_last_page(tmp_path: Path) -> None:
    shelf = Shelf(page("a", tmp_path), page("b", tmp_path))
    agent = acts(routed("0 x?"), "<search>1</search>", "<bbox>[10, 20, 110, 80]</bbox>", "So [2].")
    found = retrieved(agent, shelf, look=CropTool())
    first, last = shelf.passages[0].images[0], shelf.passages[1].images[0]
    shown = images_of(agent.seen[-1])
    assert [replace(each, sha256=None, phash=None) for each in shown] == [
        first, last, replace(last, box=(10.0, 20.0, 110.0, 80.0)),
    ]  # fmt: skip
    turn = steps(found, "turn")[1]
    assert (turn["page"], turn["boxes"]) == ("b", [[10.0, 20.0, 110.0, 80.0]])
    assert turn["shown"]
    assert turn["left"]["images"] == 12 - 3
    assert ids(found.hits) == ["b"]


class Broken:
    """A tool that fails as a test says."""

    name = about = "look"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def call(self, arguments: Mapping[str, Any], images: Sequence[ImageRef]) -> ToolResult:
        raise self.error


def test_a_tool_that_refuses_is_told_of_and_one_that_fails_ends_it(tmp_path: Path) -> None:
    shelf = Shelf(page("a", tmp_path))
    script = (routed("0 x?"), "<bbox>[1, 2, 3, 4]</bbox>", "So [1].")
    refusing = retrieved(acts(*script), shelf, look=Broken(ValueError("empty box")))
    assert steps(refusing, "turn")[0]["problem"] == "empty box"
    assert refusing.hits[0].summary == "So."
    failing = retrieved(acts(*script), shelf, look=Broken(TypeError("a bug")))
    assert steps(failing, "read")[0]["problem"] == "TypeError: a bug"
    assert [(hit.passage.id, hit.summary) for hit in failing.hits] == [("a", "")]


class Careful(Counting):
    """Reads every picture to count it, as real models do."""

    def count_tokens(self, prompt: Prompt) -> int:
        assert all(read_image(image).size for image in images_of(prompt))
        return super().count_tokens(prompt)


def test_a_damaged_picture_ends_a_talk_with_the_pages_shown_before(tmp_path: Path) -> None:
    shelf = Shelf(page("a", tmp_path), page("b", tmp_path))
    (tmp_path / "b.png").write_bytes(b"no picture")
    script = in_turn("<search>1 more</search>", "So [1].")
    agent = Careful(lambda prompt: routed("0 x?") if is_router(prompt) else script(prompt))
    found = retrieved(agent, shelf)
    assert [(hit.passage.id, hit.summary) for hit in found.hits] == [("a", "")]
    assert steps(found, "read")[0]["problem"].startswith("InputFileError: b.png: ")
    (tmp_path / "a.png").write_bytes(b"no picture")
    assert ids(retrieved(agent, shelf).hits) == ["a"]


def test_what_there_is_no_room_for_is_not_shown_and_ends_in_a_summary(tmp_path: Path) -> None:
    shelf = Shelf(page("a", tmp_path), page("b", text="word " * 900))
    script = in_turn("<search>1 more</search>", "So [1].")
    agent = Counting(lambda prompt: routed("0 x?") if is_router(prompt) else script(prompt))
    agent.room = 500
    found = retrieved(agent, shelf)
    turn = steps(found, "turn")[0]
    assert (turn["page"], turn["shown"], turn["closing"]) == ("b", False, True)
    assert "There is no room to show more." in str(agent.seen[-1].turns[-1].parts)
    assert [(hit.passage.id, hit.summary) for hit in found.hits] == [("a", "So.")]


def test_a_model_that_was_trained_on_single_pictures_is_shown_one(tmp_path: Path) -> None:
    shelf = Shelf(page("a", tmp_path), page("b", tmp_path))
    agent = acts(routed("0 x?"), "<search>1 more</search>", "So [1].")
    agent.trained_multi_image = False  # type: ignore[attr-defined]
    retrieved(agent, shelf)
    assert len(images_of(agent.seen[-1])) == 1


def test_a_generator_that_looks_at_nothing_is_shown_words(tmp_path: Path) -> None:
    agent = acts(routed("0 x?"), "So [1].")
    agent.looks = False  # type: ignore[attr-defined]
    question = replace(QUESTION, images=(ImageRef(str(tmp_path / "q.png")),))
    retrieved(agent, Shelf(page("a", tmp_path)), question)
    assert all(images_of(prompt) == [] for prompt in agent.seen)


def test_a_picture_that_is_not_on_this_machine_leaves_the_words_of_its_page(tmp_path: Path) -> None:
    shelf = Shelf(page("a", tmp_path))
    (tmp_path / "a.png").unlink()
    agent = acts(routed("0 x?"), "So [1].")
    assert ids(retrieved(agent, shelf).hits) == ["a"]
    assert images_of(agent.seen[-1]) == []
