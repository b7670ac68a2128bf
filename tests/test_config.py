"""YAML to objects: what is read, what is refused, and what a refusal says."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from medrag.config import build_index, load_pipeline, open_index, tables
from medrag.config.cards import planned_card, read_card
from medrag.config.channels import channel_specs
from medrag.config.components import planned
from medrag.config.discovery import discover, matches
from medrag.config.lookup import found
from medrag.config.pipelines import planned_pipeline
from medrag.config.place import Place
from medrag.config.reading import MAX_BYTES, parse_mapping, read_mapping
from medrag.config.recipes import planned_channels, planned_index
from medrag.config.tables import TABLES, constructor
from medrag.config.trust import TRUST_VARIABLE, refuse_foreign_code
from medrag.config.values import converted
from medrag.encoding.descriptor import DescriptorEncoder
from medrag.errors import RecipeError
from medrag.records import Corpus, Filter, Question

PLACE = Place("test.yaml")

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
names = st.sampled_from(
    ["kind", "encoder", "channels", "corpora", "retrieve", "select", "answer", "generator", "k",
     "allow", "kinds",
     "root", "files", "glob", "name", "options", "columns", "lexical", "index", "side", "store"]
)  # fmt: skip
words = st.sampled_from(
    ["lexical", "descriptor", "dense", "graph", "channels", "top_k", "one_pass", "extractive",
     "text", "sample", "*.pdf", "image", "exact", "case"]
)  # fmt: skip
documents = st.recursive(
    scalars | words,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(names | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a: 1\na: 2", "'a' twice"),
        ("a: &x [1]\nb: *x", "alias"),
        ("a: !!python/object/apply:os.getcwd []", "tag"),
        ("a: {<<: {b: 1}}", "merge"),
        ("[1, 2]", "expected a mapping"),
        ("", "expected a mapping"),
        ("1: 2", "not a text"),
        ("a: [" * 40, "nesting"),
        ("a: 'unended", "line"),
    ],
)
def test_yaml_that_surprises_is_refused(text: str, named: str) -> None:
    with pytest.raises(RecipeError, match=named):
        parse_mapping(text, file="test.yaml")


def test_a_date_stays_a_text() -> None:
    assert parse_mapping("when: 2024-05-31", file="test.yaml") == {"when": "2024-05-31"}


def test_a_file_larger_than_any_recipe_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    path.write_text("a: " + "x" * MAX_BYTES)
    with pytest.raises(RecipeError, match="larger than"):
        read_mapping(path)


@given(text=st.text() | documents.map(lambda value: yaml.safe_dump(value)))
def test_any_text_is_a_mapping_or_a_recipe_error(text: str) -> None:
    with suppress(RecipeError):
        assert all(isinstance(key, str) for key in parse_mapping(text, file="test.yaml"))


@given(spec=st.dictionaries(names | st.text(), documents, max_size=5))
def test_any_mapping_is_a_plan_or_a_recipe_error(spec: dict[str, object]) -> None:
    for check in (
        lambda: planned_pipeline(spec, Path("test.yaml")),
        lambda: planned_index(spec, Path("test.yaml"), check_roots=False),
        lambda: planned_card(spec, Path("test.yaml"), root=Path()),
        lambda: planned_channels(spec, PLACE),
    ):
        with suppress(RecipeError):
            assert check()


def test_an_unknown_kind_names_place_and_nearest_spelling() -> None:
    spec = {"image": {"encoder": {"kind": "descripter"}}}
    with pytest.raises(RecipeError) as caught:
        planned_channels(spec, PLACE.at("channels"))
    assert "test.yaml, channels.image.encoder.kind" in str(caught.value)
    assert "did you mean 'descriptor'?" in str(caught.value)


def test_an_unknown_key_names_place_and_nearest_spelling() -> None:
    with pytest.raises(
        RecipeError, match=r"select\.kk: unknown key of 'top_k' 'kk'; did you mean 'k'"
    ):
        planned("selector", {"kind": "top_k", "kk": 3}, PLACE.at("select"))


def test_a_value_of_the_wrong_type_is_refused_before_anything_is_built() -> None:
    with pytest.raises(RecipeError, match=r"select\.k: expected a whole number, got 'three'"):
        planned("selector", {"kind": "top_k", "k": "three"}, PLACE.at("select"))


def test_a_value_that_the_constructor_refuses_names_its_place() -> None:
    plan = planned("selector", {"kind": "top_k", "k": 0}, PLACE.at("select"))
    with pytest.raises(RecipeError, match="select: k must be at least 1"):
        plan()


def test_a_missing_keyword_is_named() -> None:
    with pytest.raises(RecipeError, match="needs the key 'model'"):
        planned("encoder", {"kind": "sentence"}, PLACE)


def test_a_component_nests_where_the_annotation_is_a_protocol() -> None:
    spec = {"kind": "one_pass", "generator": {"kind": "extractiv"}}
    with pytest.raises(RecipeError, match=r"generator\.kind.*did you mean 'extractive'"):
        planned("answerer", spec, PLACE)


def test_a_plan_builds_its_component() -> None:
    assert isinstance(planned("encoder", {"kind": "descriptor"}, PLACE)(), DescriptorEncoder)


@pytest.mark.parametrize(
    ("protocol", "kind"), [(protocol, kind) for protocol in TABLES for kind in TABLES[protocol]]
)
def test_every_kind_of_the_tables_is_a_class(protocol: str, kind: str) -> None:
    assert isinstance(constructor(protocol, kind, PLACE), type)


@pytest.mark.parametrize(
    ("value", "annotation", "result"),
    [
        (3, int, 3),
        (3, float, 3),
        (["a"], tuple[str, ...], ("a",)),
        (["a"], Sequence[str], ("a",)),
        (["a"], frozenset[str], frozenset({"a"})),
        ([1, 2], tuple[int, int], (1, 2)),
        ("x/y", Path, Path("x/y")),
        (None, int | None, None),
        ("rrf", Literal["rrf", "sum"], "rrf"),
        ({"a": ["b"]}, Mapping[str, str | Sequence[str]], {"a": ("b",)}),
    ],
)
def test_a_value_becomes_what_its_annotation_says(
    value: object, annotation: object, result: object
) -> None:
    made = converted(value, annotation, PLACE)
    assert made == result
    assert type(made) is type(result)


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        (True, int, "a whole number"),
        (1, bool, "true or false"),
        (1.5, int, "a whole number"),
        ("a", tuple[str, ...], "a list of a text"),
        ([1], list[str], "a list of a text"),
        ([1, 2, 3], tuple[int, int], "a list"),
        ("mean", Literal["rrf", "sum"], "'rrf' or 'sum'"),
        ([[1]], frozenset[object], "a list"),
        ({"a": 1}, Mapping[str, str], "a mapping"),
        ("x", int | None, "a whole number or null"),
    ],
)
def test_a_value_that_does_not_fit_says_what_would(
    value: object, annotation: object, expected: str
) -> None:
    with pytest.raises(RecipeError, match=f"expected {expected}"):
        converted(value, annotation, PLACE)


def test_a_card_root_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scans").mkdir()
    monkeypatch.setenv("MEDRAG_TEST_ROOT", str(tmp_path))
    card = tmp_path / "scans.yaml"
    card.write_text("root: ${MEDRAG_TEST_ROOT}/scans\ndomain: radiology\n")
    assert read_card(card).corpus.root == tmp_path / "scans"


def test_a_variable_that_is_not_set_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEDRAG_TEST_ROOT", raising=False)
    card = tmp_path / "scans.yaml"
    card.write_text("root: ${MEDRAG_TEST_ROOT}/scans\n")
    with pytest.raises(RecipeError, match="MEDRAG_TEST_ROOT is not set"):
        read_card(card)


@pytest.mark.parametrize("glob", ["../other/*.pdf", "/etc/*", "C:\\secrets\\*", "a/../../b"])
def test_a_glob_cannot_leave_the_corpus(glob: str) -> None:
    with pytest.raises(RecipeError, match="stays inside"):
        planned_card({"files": [glob]}, Path("test.yaml"), root=Path())


def test_an_option_that_no_ingestor_takes_is_refused() -> None:
    with pytest.raises(RecipeError, match="keep_all"):
        planned_card({"options": {"keep_al": True}}, Path("test.yaml"), root=Path())


def test_a_glob_that_matches_nothing_is_an_error(tmp_path: Path) -> None:
    card = tmp_path / "books.yaml"
    card.write_text("files: ['*.pdf']\n")
    with pytest.raises(RecipeError, match=r"files\.0.*matches no file"):
        discover([card])


@pytest.mark.parametrize(
    ("document", "glob", "fits"),
    [
        ("a.pdf", "*.pdf", True),
        ("b/a.pdf", "*.pdf", False),
        ("b/a.pdf", "**/*.pdf", True),
        ("a.pdf", "**/*.pdf", True),
        ("b/c/a.pdf", "b/**", True),
        ("a.pdf", "b/**", False),
        ("b/c/a.pdf", "**/*", True),
        ("b/c", "b/*/c", False),
    ],
)
def test_a_glob_matches_as_a_shell_would(document: str, glob: str, fits: bool) -> None:
    assert matches(document, glob) is fits


def test_no_file_of_a_folder_is_left_unsaid(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    (folder / "deep").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / "deep" / "notes.md").write_text("# Asthma\n\nAsthma narrows the airways.\n")
    (folder / "tool.bin").write_bytes(bytes(range(256)))
    (folder / ".hidden.md").write_text("x")
    outside = tmp_path / "outside.md"
    outside.write_text("# Secret\n\nNot in the folder.\n")
    (folder / "link.md").symlink_to(outside)
    found = discover([folder])
    assert [file.path.name for file in found.files] == ["notes.md"]
    assert {each.source.document: each.reason for each in found.skipped} == {
        ".git": "hidden",
        ".hidden.md": "hidden",
        "link.md": "outside",
        "tool.bin": "unknown_type",
    }


def test_a_picture_that_a_table_names_is_not_indexed_twice(tmp_path: Path) -> None:
    from PIL import Image

    for name in ("one.png", "two.png"):
        Image.new("RGB", (8, 8), "red").save(tmp_path / name)
    (tmp_path / "captions.csv").write_text("image,caption\none.png,A red square\n")
    found = discover([tmp_path])
    assert sorted(file.path.name for file in found.files) == ["captions.csv", "two.png"]
    assert [(s.source.document, s.reason) for s in found.skipped] == [("one.png", "referenced")]


def test_files_of_one_folder_are_one_corpus_and_folders_of_one_name_are_two(tmp_path: Path) -> None:
    for place in ("a/notes", "b/notes"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "x.md").write_text("# Gout\n\nGout is painful.\n")
    found = discover([tmp_path / "a/notes/x.md", tmp_path / "b/notes"])
    assert [file.corpus.name for file in found.files] == ["notes", "b-notes"]


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_a_file_whose_name_is_not_utf8_is_reported(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# Gout\n\nGout is painful.\n")
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.md")).write_text("# Lost\n\nLost.\n")
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    (lost,) = discover([tmp_path]).skipped
    assert (lost.source.document, lost.reason, lost.failed) == ("?.md", "unreadable", True)


def test_a_folder_named_by_a_link_keeps_its_corpus(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/x.md").write_text("# Gout\n\nGout is painful.\n")
    (tmp_path / "linked").symlink_to(tmp_path, target_is_directory=True)
    taken = [Corpus("notes", tmp_path / "notes")]
    (file,) = discover([tmp_path / "linked/notes"], taken=taken).files
    assert file.corpus.name == "notes"


def test_a_source_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="nothing-here does not exist"):
        discover([tmp_path / "nothing-here"])


def test_a_source_that_is_no_file_or_is_an_index_is_named(tmp_path: Path) -> None:
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.txt")
        with pytest.raises(RecipeError, match="neither a file nor a folder"):
            discover([tmp_path / "pipe.txt"])
    (tmp_path / "ix/segments").mkdir(parents=True)
    (tmp_path / "ix/manifest.json").write_text("{}")
    with pytest.raises(RecipeError, match="is an index"):
        discover([tmp_path / "ix"])


def test_one_file_is_found_without_walking_through_its_folder(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# Gout\n\nGout is painful.\n")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/more.md").write_text("# Gout\n\nGout is painful.\n")
    found = discover([tmp_path / "notes.md"])
    assert [file.path.name for file in found.files] == ["notes.md"]
    assert found.skipped == ()


class Novelty:
    """A selector of another package."""

    def __init__(self, *, least: float = 0.5) -> None:
        self.least = least


def test_a_kind_of_another_package_registers_by_an_entry_point(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = EntryPoint("selector.novelty", f"{__name__}:Novelty", tables.GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda self: Novelty)
    monkeypatch.setattr(tables, "entry_points", lambda group: [entry] if group else [])
    tables._registered.cache_clear()
    try:
        plan = planned("selector", {"kind": "novelty", "least": 0.25}, PLACE)
        assert plan().least == 0.25
        with pytest.raises(RecipeError, match="did you mean 'novelty'"):
            planned("selector", {"kind": "novelti"}, PLACE)
    finally:
        tables._registered.cache_clear()


def test_an_index_cannot_bring_code_along(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = {"encoder": {"kind": "sentence", "model": "x/y", "trust_remote_code": True}}
    monkeypatch.delenv(TRUST_VARIABLE, raising=False)
    with pytest.raises(RecipeError, match=TRUST_VARIABLE):
        refuse_foreign_code(spec, PLACE)


def test_the_same_from_python_as_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.md").write_text(
        "# Gout\n\nGout is an inflammation of joints caused by crystals of urate.\n"
    )
    with build_index("indexes/mine", sources=["notes.md"]) as index:
        assert [passage.kind for passage in index.passages] == ["text"]
        assert index.search("urate crystals")[0].passage == index.passages[0]
        answer = load_pipeline("sample", index=index).answer(Question(text="What causes gout?"))
    assert answer.citations[0].passage.source.document == "notes.md"
    with open_index("mine") as again:
        assert again.info()["n_passages"] == 1


def pipeline_that_allows(allow: object) -> dict[str, object]:
    answer = {"kind": "one_pass", "generator": {"kind": "extractive"}}
    return {"answer": answer, "allow": allow}


def test_a_recipe_says_what_its_questions_may_see() -> None:
    spec = pipeline_that_allows({"kinds": ["case", "report"], "domains": ["radiology"]})
    plan = planned_pipeline(spec, Path("test.yaml"))
    assert plan.options["allow"] == Filter(
        kinds=frozenset({"case", "report"}), domains=frozenset({"radiology"})
    )


@pytest.mark.parametrize(
    ("allow", "problem"),
    [
        (["case"], r"test\.yaml, allow: expected a mapping such as \{kinds: \[case\]\}"),
        ({"kind": ["case"]}, r"allow\.kind: unknown key of 'allow' 'kind'; did you mean 'kinds'"),
        ({"kinds": ["cases"]}, r"allow\.kinds: unknown kind of passage 'cases'; did you mean"),
        ({"kinds": "case"}, r"allow\.kinds: expected a list of a text, got 'case'"),
        ({"corpora": []}, r"allow\.corpora: names nothing; leave the key out to allow all"),
        ({"subjects": ["x"]}, r"allow\.subjects: unknown key"),
    ],
)  # fmt: skip
def test_what_cannot_be_allowed_is_refused_with_its_place(allow: object, problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        planned_pipeline(pipeline_that_allows(allow), Path("test.yaml"))


def test_a_channel_of_texts_needs_a_model() -> None:
    with pytest.raises(RecipeError, match="needs a model"):
        channel_specs(["text"])


def test_a_misspelt_channel_is_named() -> None:
    with pytest.raises(RecipeError, match="did you mean 'lexical'"):
        channel_specs(["lexcal"])


def test_a_folder_of_a_model_is_kept_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    spec = channel_specs(["text=model"])["text"]
    assert spec["encoder"] == {"kind": "sentence", "model": str(tmp_path / "model")}


def test_an_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(RecipeError, match="did you mean 'sample'"):
        found("pipelines", "sampel")
