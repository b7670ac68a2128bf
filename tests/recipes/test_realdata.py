"""Recipes on real data, where it holds what they need."""

from pathlib import Path

import pytest

from medrag.config import Index, build_index, load_pipeline
from medrag.identity import load_key, pseudonym
from medrag.records import Question
from tests.recipes.conftest import ROOT

EXTRACTIVE = {"kind": "extractive"}


@pytest.fixture(scope="module")
def notes(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Radiographs of 12 patients with notes; patient 17 has three dated studies."""
    patch = pytest.MonkeyPatch()
    patch.setenv("MEDRAG_DATA", str(data))
    index = build_index(
        tmp_path_factory.mktemp("notes") / "index",
        sources=[ROOT / "corpora" / "covid_cxr_notes.yaml"],
    )
    patch.undo()
    return index


@pytest.mark.realdata
def test_earlier_studies_of_a_real_patient_are_found_and_no_others(
    notes: Index, data: Path
) -> None:
    picture = data / "radiology/covid_cxr_notes/images/jkms-35-e79-g001-l-c.jpg"
    question = Question("What changed?", (picture,), subject="17", study="c", time="2020-02-06")
    answer = load_pipeline("mag", index=notes, generator=EXTRACTIVE).answer(question)
    sources = [hit.passage.source for hit in answer.selection.kept]
    assert {each.subject for each in sources} == {pseudonym("17", load_key())}
    # Two views of 31 January say the same, and come once.
    assert [each.time for each in sources] == ["2020-01-31", "2020-01-25"]


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["best", "ophtha_reason", "vitar"])
def test_recipes_of_any_index_keep_a_real_patient_out(notes: Index, data: Path, name: str) -> None:
    picture = data / "radiology/covid_cxr_notes/images/jkms-35-e79-g001-l-c.jpg"
    question = Question("Is there an opacity?", (picture,), subject="17", study="c")
    answer = load_pipeline(name, index=notes, generator=EXTRACTIVE).answer(question)
    own = pseudonym("17", load_key())
    assert answer.selection.kept
    assert own not in {hit.passage.source.subject for hit in answer.selection.kept}
