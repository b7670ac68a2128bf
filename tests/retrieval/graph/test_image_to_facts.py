"""From a picture to facts through an image-text encoder with random weights, as a recipe has it."""

import json
from pathlib import Path

import pytest
from PIL import Image

from medrag.config import Index, build_index, load_pipeline
from medrag.identity import load_key, pseudonym
from medrag.records import Question

pytestmark = pytest.mark.slow

TRIPLETS = ["(opacity, suggestive_of, pneumonia)", "(edema, suggestive_of, failure)"]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from tests.encoding.tiny_pictures import CLIPS

    folder = tmp_path_factory.mktemp("triplets")
    records = [
        {
            "img_id": f"view{i}",
            "img_path": f"files/p10/p1000000{i % 5}/s5000000{i}/view{i}.png",
            "split": "train",
            "triplets": "; ".join(TRIPLETS[: 1 + i % 2]),
        }
        for i in range(8)
    ]
    for i, each in enumerate(records):
        path = folder / str(each["img_path"])
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64), (i * 30, 0, 0)).save(path)
    (folder / "triplets.json").write_text(json.dumps(records), encoding="utf-8")
    model = str(CLIPS["clip"](folder.parent / f"{folder.name}-model"))
    encoder = {"kind": "clip", "model": model, "passages": "text"}
    channels = {"facts": {"encoder": encoder, "side": "image"}}
    return build_index(folder / "index", sources=[folder / "triplets.json"], channels=channels)


def test_the_facts_nearest_to_a_picture_are_those_of_other_patients(
    index: Index, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.yaml"
    retrieve = {"kind": "image_facts", "channel": "facts"}
    answer = {"kind": "one_pass", "generator": {"kind": "extractive"}}
    recipe.write_text(json.dumps({"retrieve": retrieve, "answer": answer}), encoding="utf-8")
    (root,) = index.roots.values()
    asked = root / "files/p10/p10000000/s50000000/view0.png"
    question = Question("What is seen?", (asked,), subject="10000000", study="50000000")
    told = load_pipeline(recipe, index=index).answer(question)
    hits = told.selection.kept
    # Opacity is said of all 8 studies, edema of the 4 odd ones; the own patient has studies 0, 5.
    support = {hit.passage.fields["head"]: hit.parts["support"].score for hit in hits}
    assert support == {"opacity": 6, "edema": 3}
    own = pseudonym("10000000", load_key())
    assert all(hit.passage.source.subject != own for hit in hits)
    assert told.trace[0]["step"] == "image_facts"
