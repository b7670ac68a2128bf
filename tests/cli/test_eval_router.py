"""`medrag eval router` as a person and a program use it."""

import json
from pathlib import Path

import pytest

from medrag.config import build_index
from medrag.encoding.classifying import LinearClassifier
from medrag.records import Question
from tests.cli.conftest import Run
from tests.evaluation.routing.drawn import drawn, drawn_folders


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_folders(tmp_path_factory.mktemp("drawn"))


def test_a_head_is_fitted_measured_and_written(medrag: Run, folders: Path, tmp_path: Path) -> None:
    out, noise = tmp_path / "head.npz", tmp_path / "noise"
    drawn(noise / "n.png", "noise", 0)
    result = medrag("eval", "router", folders, "--out", out, "--unknown", noise, "--reject", 0.2)
    assert result.exit_code == 0, result.output
    assert "held out in turn: 24 pictures of 12 groups" in result.stdout
    assert "is / called  pathology  radiology  unknown" in result.stdout
    assert "balanced accuracy of the likeliest domain  1.000" in result.stdout
    assert f"{noise}: 1 of 1 picture rejected (100.0%): 1 unlike, 0 unsure" in result.stdout
    assert f"{{kind: linear, head: {out}}}" in result.stderr
    question = Question(images=(drawn(tmp_path / "s.png", "scan", 77),))
    (routing,) = LinearClassifier(head=out).classify([question])
    assert routing.domains[0] == "radiology"


def test_the_json_has_the_shape_that_is_promised(
    medrag: Run, folders: Path, tmp_path: Path
) -> None:
    test = drawn_folders(tmp_path / "further", n=4)
    result = medrag("eval", "router", folders, "--json", "--test", test, "--folds", 3)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert set(told) == {
        "n", "n_groups", "domains", "columns", "confusion", "likeliest", "measures", "thresholds",
        "unknown", "tested", "problems",
    }  # fmt: skip
    assert (told["n"], told["n_groups"]) == (24, 12)
    assert told["likeliest"] == [[12, 0, 0], [0, 12, 0]]
    assert set(told["measures"]["balanced_accuracy"]) == {"value", "low", "high", "n"}
    assert set(told["thresholds"]) == {"temperature", "least", "margin", "furthest"}
    assert told["tested"]["n"] == 8
    assert sum(map(sum, told["tested"]["confusion"])) == 8


def test_a_classifier_of_another_kind_is_measured_as_it_stands(
    medrag: Run, folders: Path, tmp_path: Path
) -> None:
    collections = "{kind: stated, collections: {radiology: radiology, pathology: pathology}}"
    result = medrag("eval", "router", folders, "--classifier", collections)
    assert result.exit_code == 0, result.output
    assert "as the classifier stands: 24 pictures" in result.stdout
    assert "calibrated best" not in result.stdout
    out = tmp_path / "head.npz"
    assert medrag("eval", "router", folders, "--out", out).exit_code == 0
    fitted = f"{{kind: linear, head: {out}}}"
    result = medrag("eval", "router", folders, "--classifier", fitted, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["thresholds"]["temperature"] > 0


@pytest.fixture(scope="module")
def built(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the pictures, whose cards name their domains."""
    place = tmp_path_factory.mktemp("built")
    for name in ("radiology", "pathology"):
        card = f"root: {folders / name}\nfiles: ['**/*.png']\ndomain: {name}\n"
        (place / f"{name}.yaml").write_text(card)
    (place / "recipe.yaml").write_text(
        f"corpora: [{place}/radiology.yaml, {place}/pathology.yaml]\n"
        "channels:\n  image: {encoder: {kind: descriptor}}\n"
    )
    build_index(place / "index", recipe=place / "recipe.yaml").close()
    return place / "index"


def test_an_index_gives_its_pictures_with_the_domains_of_its_cards(
    medrag: Run, built: Path
) -> None:
    result = medrag("eval", "router", built, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["domains"] == ["pathology", "radiology"]
    # Without patients each document is a group of its own.
    assert (told["n"], told["n_groups"]) == (24, 24)


def test_an_index_that_knows_no_domain_is_told(medrag: Run, folders: Path, tmp_path: Path) -> None:
    build_index(tmp_path / "index", sources=[folders]).close()
    result = medrag("eval", "router", tmp_path / "index")
    assert result.exit_code == 1
    assert "holds no pictures whose domain is known" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--reject", 0), 2, "expected a number between 0 and 1, got 0"),
        (("--error", 1.5), 2, "expected a number between 0 and 1, got 1.5"),
        (("--domain", "radiologie"), 2, "did you mean 'radiology'"),
        (("--domain", "radiology"), 1, "two domains or more, got radiology"),
        (("--folds", 13), 1, "12 groups are too few for 13 folds"),
        (("--classifier", "linaer"), 1, "did you mean 'linear'"),
        (("--classifier", "{kind: ["), 2, "expected a kind or {kind: ...}"),
        (("--classifier", "{kind: linear, kind: words}"), 2, "the key 'kind' twice"),
        (("--classifier", "{kind: " + "[" * 4000), 2, "levels of nesting"),
        (("--classifier", "{kind: linear, least: 0.5}"), 2, "'least' is learnt here"),
        (("--classifier", "zero_shot"), 1, "needs the key 'encoder'"),
        (("--classifier", "words", "--out", "x.npz"), 2, "'words' is not fitted here"),
        (("--classifier", "{kind: linear, head: no.npz}"), 1, "no.npz"),
        (("--out", "no/such/folder/x.npz"), 1, "lies in a folder that does not exist"),
        (("--unknown", "no/such/folder"), 1, "holds no picture"),
    ],
)
def test_misuse_is_told(
    medrag: Run, folders: Path, options: tuple[object, ...], code: int, told: str
) -> None:
    result = medrag("eval", "router", folders, *options)
    assert result.exit_code == code, result.output
    assert told in " ".join(result.stderr.split())


def test_a_domain_with_one_picture_is_told(medrag: Run, folders: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    rows = [f"{path},{path.parts[-3]},{path.parts[-2]}" for path in folders.rglob("*.png")]
    lone = drawn(tmp_path / "eye.png", "noise", 3)
    table.write_text("\n".join(["image,domain,group", *rows, f"{lone},eye,1"]))
    result = medrag("eval", "router", table)
    assert result.exit_code == 1
    assert "all pictures of eye (1) are of one group, '1'" in " ".join(result.stderr.split())
    result = medrag("eval", "router", table, "--domain", "radiology", "--domain", "pathology")
    assert result.exit_code == 0, result.output
