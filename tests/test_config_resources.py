"""What an index gives to components, by the types that their constructors ask for."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from medrag.config import Index, build_index, load_pipeline, tables
from medrag.config.components import planned
from medrag.config.pipelines import planned_pipeline
from medrag.config.place import Place
from medrag.config.resources import named_indexes
from medrag.config.swapping import generator_spec, with_generator
from medrag.errors import RecipeError
from medrag.protocols import Channel, Generator, Library, Retriever, VectorChannel
from medrag.records import Filter, Generation, Hit, Prompt, Question, Retrieved, Usage

ANSWER = {"kind": "one_pass", "generator": {"kind": "extractive"}}


class Gathering:
    """A retriever that keeps what it is given, and asks those within it in turn."""

    repeatable = False

    def __init__(
        self,
        *,
        library: Library,
        inner: Mapping[str, Retriever],
        channels: Mapping[str, Channel] | None = None,
        nearest: VectorChannel | None = None,
        file: Path | None = None,
    ) -> None:
        self.library = library
        self.inner = inner
        self.channels = channels
        self.nearest = nearest
        self.file = file
        self.n_asked = 0

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        raise AssertionError("a pipeline asks for the trace")

    def retrieve_traced(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[Retrieved]:
        self.n_asked += 1
        rankings = [each.retrieve(questions, k, filters) for each in self.inner.values()]
        step = {"step": "gathered", "from": list(self.inner)}
        return [
            Retrieved(tuple(hit for hits in several for hit in hits), (step,), Usage(3, 2, 0.0))
            for several in zip(*rankings, strict=True)
        ]


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {**tables.TABLES["retriever"], "gathering": f"{__name__}:Gathering"}
    monkeypatch.setattr(tables, "TABLES", {**tables.TABLES, "retriever": known})


def built(folder: Path, text: str, name: str) -> Index:
    folder.mkdir()
    (folder / f"{name}.md").write_text(f"# Lungs\n\n{text}\n", encoding="utf-8")
    return build_index(folder / "index", sources=[folder / f"{name}.md"], channels=["lexical"])


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return built(tmp_path / "own", "A pleural effusion blunts the angle.", "own")


def recipe(folder: Path, text: str) -> Path:
    path = folder / "pipelines" / "mine.yaml"
    path.parent.mkdir(exist_ok=True)
    answer = "answer: {kind: one_pass, generator: {kind: extractive}}\n"
    path.write_text(f"retrieve: {text}\n{answer}", encoding="utf-8")
    return path


def test_a_retriever_within_another_gets_the_channels_it_names(
    index: Index, tmp_path: Path
) -> None:
    path = recipe(
        tmp_path, "{kind: gathering, inner: {words: {kind: channels, channels: [lexical]}}}"
    )
    made = load_pipeline(path, index=index).retriever
    assert isinstance(made, Gathering)
    assert made.library is index.rows
    assert made.channels is None
    assert list(made.inner["words"].channels) == ["lexical"]  # type: ignore[attr-defined]


def test_one_channel_is_named_by_its_name(index: Index, tmp_path: Path) -> None:
    path = recipe(tmp_path, "{kind: gathering, inner: {}, nearest: lexical, channels: [lexical]}")
    made = load_pipeline(path, index=index).retriever
    assert isinstance(made, Gathering)
    assert made.nearest is index.channels["lexical"]
    assert made.channels == {"lexical": index.channels["lexical"]}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("{kind: gathering, inner: {}, nearest: txt}", "retrieve.nearest"),
        ("{kind: gathering, inner: {}, channels: [lexical, txt]}", "retrieve.channels.1"),
        (
            "{kind: gathering, inner: {a: {kind: channels, channels: [txt]}}}",
            "retrieve.inner.a.channels.0",
        ),
    ],
)
def test_a_channel_that_the_index_lacks_is_named_with_its_place(
    index: Index, tmp_path: Path, text: str, place: str
) -> None:
    with pytest.raises(RecipeError, match=f"{place}: unknown channel .*'txt'"):
        load_pipeline(recipe(tmp_path, text), index=index)


def test_what_the_index_gives_is_no_key_of_a_recipe() -> None:
    spec = {"kind": "gathering", "inner": {}, "library": "mine"}
    with pytest.raises(RecipeError, match=r"unknown key of 'gathering' 'library'"):
        planned("retriever", spec, Place("a.yaml"))


def test_a_component_that_needs_an_index_is_not_built_without() -> None:
    plan = planned("retriever", {"kind": "gathering", "inner": {}}, Place("a.yaml"))
    with pytest.raises(RecipeError, match="needs an index"):
        plan()


def test_a_path_starts_at_the_recipe(index: Index, tmp_path: Path) -> None:
    path = recipe(tmp_path, "{kind: gathering, inner: {}, file: heads/mine.npz}")
    (path.parent / "heads").mkdir()
    (path.parent / "heads" / "mine.npz").write_bytes(b"1")
    made = load_pipeline(path, index=index)
    assert isinstance(made.retriever, Gathering)
    assert made.retriever.file == path.parent / "heads" / "mine.npz"


def test_the_bytes_of_a_file_count_for_the_identity_of_a_pipeline(
    index: Index, tmp_path: Path
) -> None:
    path = recipe(tmp_path, "{kind: gathering, inner: {}, file: head.npz}")
    told = []
    for content in (b"1", b"2", b"1"):
        (path.parent / "head.npz").write_bytes(content)
        told.append(load_pipeline(path, index=index).identity["pipeline"]["sha256"])
    assert told[0] != told[1]
    assert told[0] == told[2]


def test_a_retriever_may_ask_another_index(index: Index, tmp_path: Path) -> None:
    other = built(tmp_path / "other", "An effusion of the knee is a swelling.", "other")
    inner = "{own: {kind: channels}, other: {kind: channels, index: knees}}"
    path = recipe(tmp_path, f"{{kind: gathering, inner: {inner}}}")
    made = load_pipeline(path, index=index, indexes={"knees": other.folder})
    answer = made.answer(Question(text="What is an effusion?"))
    assert {hit.passage.source.corpus for hit in answer.selection.kept} == {"own", "other"}
    assert made.index.roots == {**index.roots, **other.roots}
    assert made.identity["index"]["sha256"] not in (index.fingerprint, other.fingerprint)


def test_two_indexes_with_one_corpus_in_two_folders_are_refused(
    index: Index, tmp_path: Path
) -> None:
    (tmp_path / "else").mkdir()
    other = built(tmp_path / "else" / "own", "Another text about lungs.", "own")
    path = recipe(tmp_path, "{kind: gathering, inner: {b: {kind: channels, index: other}}}")
    with pytest.raises(RecipeError, match="both have a corpus 'own'"):
        load_pipeline(path, index=index, indexes={"other": other})


def test_an_index_that_no_retriever_names_is_refused(index: Index) -> None:
    with pytest.raises(RecipeError, match="unknown index that a retriever names 'knees'"):
        load_pipeline("sample", index=index, indexes={"knees": index})


def test_the_indexes_of_a_recipe_are_found_however_deep() -> None:
    inner = {"kind": "gathering", "inner": {"c": {"kind": "channels", "index": "deep"}}}
    outer = {"kind": "gathering", "index": "mine", "inner": {"a": inner}}
    plan = planned_pipeline({"retrieve": outer, "answer": ANSWER}, Path("a.yaml"))
    assert list(named_indexes(plan.retrieve)) == ["mine", "deep"]


def test_an_answer_tells_how_its_evidence_was_found(index: Index, tmp_path: Path) -> None:
    path = recipe(tmp_path, "{kind: gathering, inner: {words: {kind: channels}}}")
    made = load_pipeline(path, index=index)
    answer = made.answer(Question(text="What blunts the angle?", study="one"))
    assert answer.trace[0] == {"step": "gathered", "from": ["words"]}
    assert answer.usage.cost is None  # the extractive reader does not tell what it took
    # A retriever that must not be asked twice was asked once, though the guard has work to do.
    assert made.retriever.n_asked == 1  # type: ignore[attr-defined]


def test_one_generator_stands_in_for_all_of_a_recipe() -> None:
    inner = {"kind": "with_tools", "generator": {"kind": "local", "model": "m"}, "tools": []}
    spec = {
        "retrieve": {"kind": "asking", "generator": {"kind": "remote", "url": "u", "model": "m"}},
        "answer": {"kind": "one_pass", "generator": inner, "verifier": {"kind": "lexical"}},
    }
    told = with_generator(spec, {"kind": "cases"})
    assert told == {
        "retrieve": {"kind": "asking", "generator": {"kind": "cases"}},
        "answer": {
            "kind": "one_pass",
            "generator": {**inner, "generator": {"kind": "cases"}},
            "verifier": {"kind": "lexical"},
        },
    }


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("extractive", {"kind": "extractive"}),
        ("medgemma-4b", {"kind": "local", "model": "medgemma-4b"}),
        ("{kind: remote, url: u, model: m}", {"kind": "remote", "url": "u", "model": "m"}),
    ],
)
def test_a_generator_is_named_by_kind_model_or_mapping(said: str, meant: dict[str, str]) -> None:
    assert generator_spec(said) == meant


def test_a_recipe_with_a_model_is_asked_without_one(index: Index) -> None:
    answer = load_pipeline("local", index=index, generator="extractive").answer(
        Question(text="What blunts the angle?")
    )
    assert answer.model == "extractive"


class Heavy:
    """A generator that counts how often it was made."""

    made = 0
    name = "heavy"

    def __init__(self, *, model: str) -> None:
        type(self).made += 1
        self.model = model

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        return [Generation("Yes.") for _ in prompts]


class Thinking(Gathering):
    """A retriever with a model of its own."""

    def __init__(self, *, library: Library, inner: Mapping[str, Retriever], by: Generator) -> None:
        super().__init__(library=library, inner=inner)
        self.by = by


@pytest.mark.parametrize(("other", "n"), [("m", 1), ("n", 2)])
def test_a_model_that_is_named_twice_is_loaded_once(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str, n: int
) -> None:
    for protocol, kind, name in (
        ("generator", "heavy", "Heavy"),
        ("retriever", "thinking", "Thinking"),
    ):
        known = {**tables.TABLES[protocol], kind: f"{__name__}:{name}"}
        monkeypatch.setattr(tables, "TABLES", {**tables.TABLES, protocol: known})
    path = recipe(tmp_path, f"{{kind: thinking, inner: {{}}, by: {{kind: heavy, model: {other}}}}}")
    written = path.read_text(encoding="utf-8")
    path.write_text(written.replace("extractive", "heavy, model: m"), encoding="utf-8")
    Heavy.made = 0
    made = load_pipeline(path, index=index)
    assert Heavy.made == n
    assert (made.retriever.by is made.answerer.generator) == (n == 1)  # type: ignore[attr-defined]


def test_a_generator_that_is_empty_is_told() -> None:
    with pytest.raises(RecipeError, match="--generator is empty"):
        generator_spec(" ")
