"""One index with every channel that a recipe may name, and the recipes without their weights."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from medrag.concepts import Concept, ConceptBook, ConceptHeads, save_book
from medrag.config import Index, build_index, tables
from tests.encoding.tiny_pages import save_colpali
from tests.recipes.stand_ins import offline
from tests.servers import Serve, Server, serving

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "pipelines").glob("*.yaml"))


@pytest.fixture(scope="package")
def _registered() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    stand_ins = {
        "encoder": ("rough", "RoughEncoder"),
        "generator": ("scripted", "ScriptedGenerator"),
    }
    known = {
        protocol: {**tables.TABLES[protocol], kind: f"tests.recipes.stand_ins:{name}"}
        for protocol, (kind, name) in stand_ins.items()
    }
    patch.setattr(tables, "TABLES", {**tables.TABLES, **known})
    yield
    patch.undo()


@pytest.fixture(scope="package")
def everything(tmp_path_factory: pytest.TempPathFactory, _registered: None) -> Index:
    """The sample corpus, earlier studies of a patient, pairs of pictures, and facts of reports."""
    folder = tmp_path_factory.mktemp("everything")
    records(folder / "records")
    rough = {"kind": "rough"}
    page = save_colpali(folder / "colpali")
    channels = {
        "lexical": None,
        "graph": None,
        "image": {"encoder": rough, "side": "image"},
        "image_text": {"encoder": {**rough, "passages": "text"}, "side": "image"},
        **{name: {"encoder": rough} for name in ("text", "contriever", "specter")},
        "page": {"encoder": {"kind": "page", "model": str(page)}},
    }
    return build_index(
        folder / "index",
        sources=[ROOT / "corpora" / "sample.yaml", folder / "records"],
        channels=channels,
    )


def records(folder: Path) -> None:
    """Two studies of each of three patients, with pictures, and a pair of pictures of each."""
    folder.mkdir()
    rows = []
    for patient in range(3):
        pictures = []
        for study in range(2):
            name = f"p{patient}-{study}.png"
            draw = np.random.default_rng(10 * patient + study).integers(0, 255, (40, 40, 3))
            Image.fromarray(draw.astype(np.uint8)).save(folder / name)
            pictures.append(name)
            rows.append({
                "findings": f"A small effusion in the left lung, seen on day {study}.",
                "image": [name], "subject_id": f"p{patient}", "study_id": f"s{patient}-{study}",
                "study_date": f"2024-0{study + 1}-01",
            })  # fmt: skip
        rows.append({
            "findings": "The effusion got smaller.", "image": pictures,
            "subject_id": f"q{patient}", "study_id": f"t{patient}", "study_date": "2024-03-01",
        })  # fmt: skip
    (folder / "reports.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


@pytest.fixture(scope="package")
def networks() -> Iterator[Server]:
    """A server that says what expert networks would."""
    servers: Iterator[Serve] = serving()
    start = next(servers)
    yield start(lambda request, _: (200, {}, {"probabilities": {"effusion": 0.7, "edema": 0.1}}))
    next(servers, None)


@pytest.fixture(scope="package")
def recipes(tmp_path_factory: pytest.TempPathFactory, everything: Index, networks: Server) -> Path:
    """A folder of all recipes as they are, but for the weights that they name."""
    folder = tmp_path_factory.mktemp("recipes") / "pipelines"
    folder.mkdir()
    for path in RECIPES:
        spec = offline(yaml.safe_load(path.read_text(encoding="utf-8")))
        written = yaml.safe_dump(spec).replace("http://127.0.0.1:9000/classify", networks.url)
        (folder / path.name).write_text(written, encoding="utf-8")
    book(folder, everything)
    return folder


def book(folder: Path, index: Index) -> None:
    """What `medrag concepts` would have written beside the recipe."""
    passages = [passage for passage in index.passages if passage.kind == "text"][:4]
    concepts = tuple(
        Concept(f"Is sign {number} there?", passage.id, passage.source.document)
        for number, passage in enumerate(passages)
    )
    save_book(ConceptBook(concepts), folder / "concepts.json")
    draw = np.random.default_rng(0)
    n = len(concepts)
    heads = ConceptHeads(
        tuple(each.question for each in concepts), draw.normal(size=(n, 480)), np.zeros(n),
        np.ones(n), "rough",
    )  # fmt: skip
    heads.save(folder / "heads.npz")
