"""What the README of tools shows works."""

import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import medrag.tools
from medrag.records import ImageRef
from medrag.tools.endpoint import EndpointTool
from tests.contracts import check_tool
from tests.images.scenes import scene

README = (Path(medrag.tools.__file__).parent / "README.md").read_text(encoding="utf-8")


def shown(language: str, holding: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (found,) = [block for block in blocks if holding in block]
    return str(found)


@pytest.fixture
def picture(tmp_path: Path) -> ImageRef:
    Image.fromarray(scene()).save(tmp_path / "a.png")
    return ImageRef(str(tmp_path / "a.png"))


def test_the_tool_of_the_readme_keeps_the_contract(picture: ImageRef) -> None:
    names: dict[str, Any] = {}
    exec(shown("python", "class Brightness"), names)  # noqa: S102 - of this repository
    tool = names["Brightness"]()
    check_tool(tool, [picture], right=[{}, {"image": 1}], wrong=[{"image": 2}, {"image": "a"}])


def test_the_server_of_the_readme_answers(picture: ImageRef) -> None:
    names: dict[str, Any] = {}
    exec(shown("python", "class Classifier"), names)  # noqa: S102 - of this repository
    names["Classifier"].log_message = lambda *_: None
    server = names["serve"](0)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/classify"
        result = EndpointTool(name="expert", about="classifies.", url=url).call({}, [picture])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert result.text.splitlines()[0] == "effusion: 0.83; edema: 0.04"
    assert result.regions[0].box == (20, 30, 90, 80)


def test_the_reply_of_the_readme_is_taken(picture: ImageRef) -> None:
    reply = json.loads(shown("json", '"text"'))
    tool = EndpointTool(name="expert", about="classifies.", url="https://127.0.0.1:1/x")
    tool.endpoint.post = lambda *_: {**reply, "images": []}  # type: ignore[method-assign]
    box = [20, 30, 60, 50]
    reply["boxes"][0]["box"] = box
    assert list(tool.call({}, [picture]).regions[0].box or ()) == box
