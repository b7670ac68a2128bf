"""A small library and its index, built once."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from medrag.cli.main import app

NOTES = """# Pleural effusion

A pleural effusion is fluid between the two layers of the pleura. On an upright radiograph the
earliest sign of a pleural effusion is blunting of the costophrenic angle.

# Gout

Gout is an inflammation of joints caused by crystals of urate. Gout often begins in the
big toe.
"""
REPORTS = """report_id,subject_id,study_id,findings,impression,image
r1,patient-1,study-1,There is a large left pleural effusion.,Pleural effusion.,one.png
r2,patient-2,study-2,No pleural effusion. The heart is of normal size.,Normal chest.,two.png
"""
GRAPH = """head\trelation\ttail
gout\thas symptom\tjoint pain
gout\tlocated in\tbig toe
"""

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    (folder / "notes.md").write_text(NOTES)
    (folder / "reports.csv").write_text(REPORTS)
    (folder / "graph.tsv").write_text(GRAPH)
    (folder / "program.bin").write_bytes(bytes(range(256)) * 4)
    for name, colour in (("one.png", 40), ("two.png", 200)):
        picture = (
            Image.linear_gradient("L").resize((64, 64)).point(lambda x, c=colour: (x + c) % 256)
        )
        picture.save(folder / name)
    return folder


@pytest.fixture
def medrag() -> Run:
    """Run the command line in this process."""

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(each) for each in arguments], prog_name="medrag")

    return run


@pytest.fixture(scope="session")
def index(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("indexes") / "small"
    result = CliRunner().invoke(app, ["index", "build", str(folder), "--from", str(library)])
    assert result.exit_code == 0, result.output
    return folder
