"""Where the vectors of channels are searched, as recipes and the command line say it."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medrag.config import build_index, open_index
from medrag.config.building import update_index
from medrag.config.channels import store_specs
from medrag.config.place import Place
from medrag.config.recipes import planned_channel
from medrag.config.trust import refuse_foreign_code, refuse_foreign_hosts
from medrag.errors import RecipeError
from medrag.indexing.exact import ExactSearch

PLACE = Place("test.yaml")
DENSE: dict[str, Any] = {"encoder": {"kind": "descriptor"}, "side": "image"}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("faiss", {"": {"kind": "faiss"}}),
        ("faiss:IVF256,Flat", {"": {"kind": "faiss", "factory": "IVF256,Flat"}}),
        ("text=exact:int8", {"text": {"kind": "exact", "scan": "int8"}}),
        ("qdrant:http://h:6333/a=b", {"": {"kind": "qdrant", "url": "http://h:6333/a=b"}}),
        (
            "text={kind: faiss, factory: 'IVF4,Flat', nprobe: all}",
            {"text": {"kind": "faiss", "factory": "IVF4,Flat", "nprobe": "all"}},
        ),
    ],
)
def test_a_store_is_a_kind_with_its_option_or_a_mapping(said: str, meant: Any) -> None:
    assert store_specs([said]) == meant


@pytest.mark.parametrize(
    ("said", "told"),
    [("late_interaction:x", "takes no option here; known: exact:SCAN"), ("{kind: ", "line 1")],
)
def test_a_store_that_cannot_be_read_is_refused(said: str, told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        store_specs([said])


def test_without_a_store_vectors_are_searched_exactly() -> None:
    vectors = planned_channel("image", DENSE, PLACE).vectors
    assert vectors is not None
    assert vectors.constructor() is ExactSearch


@pytest.mark.parametrize(
    ("store", "told"),
    [
        ("fais", "did you mean 'faiss'"),
        ({"kind": "exact", "scann": "int8"}, "did you mean 'scan'"),
        ({"scan": "int8"}, "'kind' is missing"),
        (7, "expected a mapping"),
    ],
)
def test_a_store_that_does_not_exist_is_refused(store: Any, told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        planned_channel("image", {**DENSE, "store": store}, PLACE)


def test_late_interaction_follows_the_encoder_and_needs_a_store_that_can() -> None:
    spec = {"encoder": {"kind": "page", "model": "somewhere"}}
    recipe = planned_channel("page", spec, PLACE)
    assert recipe.spec["interaction"] == "sum"
    assert recipe.vectors is not None
    assert recipe.vectors.kind == "late_interaction"
    assert planned_channel("page", recipe.spec, PLACE).spec == recipe.spec
    with pytest.raises(RecipeError, match="which 'faiss' cannot"):
        planned_channel("page", {**spec, "store": "faiss"}, PLACE)


def test_a_store_of_a_channel_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("The heart pumps blood.", encoding="utf-8")
    with pytest.raises(RecipeError, match="channel that a store can search"):
        build_index(
            tmp_path / "index", sources=[tmp_path / "in"], stores={"text": {"kind": "faiss"}}
        )


@pytest.mark.parametrize(
    "spec",
    [
        {"store": {"kind": "qdrant", "url": "https://far.example:6333"}},
        {"encoder": {"kind": "remote", "url": "https://far.example/v1"}},
        {"encoder": {"kind": "volume", "slices": {"kind": "remote", "url": "https://far.example"}}},
    ],
)
def test_an_index_sends_questions_to_no_host_that_was_not_allowed(
    spec: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RecipeError, match=r"sent to 'far\.example'.*export MEDRAG_ALLOW_HOSTS"):
        refuse_foreign_hosts(spec, PLACE)
    monkeypatch.setenv("MEDRAG_ALLOW_HOSTS", "near.example, far.example")
    refuse_foreign_hosts(spec, PLACE)


@pytest.mark.parametrize(
    "url",
    [
        "https://far.example\\@localhost/v1",
        "https://localhost@far.example/v1",
        "https://[::1",
        "localhost:6333",
    ],
)
def test_an_address_that_can_be_read_in_two_ways_is_of_no_known_host(url: str) -> None:
    with pytest.raises(RecipeError, match="MEDRAG_ALLOW_HOSTS"):
        refuse_foreign_hosts({"encoder": {"kind": "remote", "url": url}}, PLACE)


def test_every_address_of_a_component_is_looked_at() -> None:
    nested = {"url": "http://localhost/v1", "slices": {"url": "https://far.example"}}
    with pytest.raises(RecipeError, match=r"far\.example"):
        refuse_foreign_hosts({"encoder": {"kind": "volume", **nested}}, PLACE)


def test_this_machine_needs_no_leave() -> None:
    refuse_foreign_hosts({"store": {"kind": "qdrant", "url": "http://localhost:6333"}}, PLACE)


def test_code_of_a_nested_model_is_refused_too() -> None:
    nested = {"kind": "clip", "model": "m", "trust_remote_code": True}
    with pytest.raises(RecipeError, match="would run Python code"):
        refuse_foreign_code({"encoder": {"kind": "volume", "slices": nested}}, PLACE)


@pytest.mark.parametrize("kind", ["lexical", "sparse"])
def test_terms_are_searched_in_their_own_structure_or_by_qdrant(kind: str) -> None:
    spec = {
        "kind": kind,
        **({"encoder": {"kind": "sparse", "model": "m"}} if kind == "sparse" else {}),
    }
    assert planned_channel(kind, spec, PLACE).vectors is None
    for store in ("qdrant", {"kind": "qdrant", "location": ":memory:"}):
        recipe = planned_channel(kind, {**spec, "store": store}, PLACE)
        assert recipe.vectors is not None
        assert recipe.vectors.kind == "qdrant"
        assert recipe.spec["store"] == store
    with pytest.raises(RecipeError, match=rf"store: a {kind} channel .* or by qdrant, and not by"):
        planned_channel(kind, {**spec, "store": "faiss"}, PLACE)
    with pytest.raises(RecipeError, match="did you mean 'parallel'"):
        planned_channel(kind, {**spec, "store": {"kind": "qdrant", "paralel": 3}}, PLACE)


def test_a_plain_store_is_for_dense_channels_and_words_go_by_name(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("The heart pumps blood.", encoding="utf-8")
    place, sources = tmp_path / "index", [tmp_path / "in"]
    with pytest.raises(RecipeError, match=r"\(lexical\) is dense.*name one of: lexical"):
        build_index(place, sources=sources, channels=["lexical"], stores={"": {"kind": "qdrant"}})
    assert not place.exists()
    with build_index(
        place, sources=sources, channels=["lexical"], stores={"lexical": "qdrant"}
    ) as index:
        assert index.info()["channels"]["lexical"].get("store") == "qdrant"
        (hit,) = index.search("blood", k=3)
        assert set(hit.parts) == {"lexical"}


def test_two_stores_for_one_channel_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"all dense channels was given before"):
        store_specs(["faiss", "qdrant"])
    with pytest.raises(RecipeError, match=r"channel 'text' was given before"):
        store_specs(["text=faiss", "text=exact"])


@pytest.mark.parametrize(
    ("store", "told"),
    [
        ({"kind": "exact", "device": "tpu"}, "device must be"),
        ({"kind": "exact", "oversample": 0}, "oversample must be at least 1"),
        ({"kind": "faiss", "nprobe": 0}, "nprobe must be at least 1"),
        ({"kind": "faiss", "ef": -1}, "ef must be at least 1"),
        ({"kind": "faiss", "factory": " "}, "the factory is empty"),
        ({"kind": "faiss", "factory": "IVF0,Flat"}, "a number of it is 0"),
        ({"kind": "faiss", "factory": "a" * 100_000}, "has 100000 characters, expected 200"),
        ({"kind": "faiss", "factory": "Flat\ud800"}, "all ASCII"),
        ({"kind": "faiss", "factory": "HNSW1"}, "2 to 1024 links, got 1"),
        ({"kind": "faiss", "factory": "IVF4_HNSW1,Flat"}, "2 to 1024 links, got 1"),
        ({"kind": "faiss", "factory": "HNSW100000"}, "2 to 1024 links, got 100000"),
        ({"kind": "faiss", "factory": "PQ8x24"}, "16 bits at most, got 24"),
        ({"kind": "faiss", "factory": "IDMap,Flat"}, "leave IDMap out"),
        ({"kind": "qdrant", "url": "::::"}, "url must be such as https://host:6333"),
        ({"kind": "qdrant", "ef": 0}, "ef must be at least 1"),
        ({"kind": "qdrant", "collection": "x"}, "option of a server"),
        ("late_interaction", "not meant so"),
    ],
)
def test_options_that_no_search_could_use_are_refused_before_anything_is_built(
    store: Any, told: str
) -> None:
    with pytest.raises(RecipeError, match=told):
        planned_channel("image", {**DENSE, "store": store}, PLACE)


def test_options_of_late_interaction_and_of_words_are_checked_too() -> None:
    page = {"encoder": {"kind": "page", "model": "somewhere"}}
    with pytest.raises(RecipeError, match="candidates must be at least 1"):
        planned_channel(
            "page", {**page, "store": {"kind": "late_interaction", "candidates": 0}}, PLACE
        )
    with pytest.raises(RecipeError, match="ef is an option of dense channels"):
        planned_channel("lexical", {"kind": "lexical", "store": {"kind": "qdrant", "ef": 9}}, PLACE)


def test_a_change_of_store_that_was_cut_short_leaves_the_channel_searchable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = tmp_path / "in" / "a.png"
    picture.parent.mkdir()
    Image.fromarray(np.arange(3 * 32 * 32, dtype=np.uint8).reshape(32, 32, 3)).save(picture)
    before = build_index(tmp_path / "index", sources=[tmp_path / "in"]).search(image=picture)

    def killed(*_: object, **__: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr("medrag.indexing.faiss.derive", killed)
    # The second picture makes the build commit before it derives.
    shutil.copy(picture, picture.with_name("b.png"))
    with pytest.raises(KeyboardInterrupt):
        build_index(
            tmp_path / "index", sources=[tmp_path / "in"], stores={"image": {"kind": "faiss"}}
        )
    with open_index(tmp_path / "index") as index:
        assert index.store.channel("image").spec["store"] == {"kind": "faiss"}
        found = index.search(image=picture)
        assert found[0].passage.id == before[0].passage.id
        assert found[0].score == pytest.approx(before[0].score)


def test_an_index_changes_its_stores_and_channels_without_its_sources(tmp_path: Path) -> None:
    picture = tmp_path / "in" / "a.png"
    picture.parent.mkdir()
    Image.fromarray(np.arange(3 * 32 * 32, dtype=np.uint8).reshape(32, 32, 3)).save(picture)
    with pytest.raises(ValueError, match="only an index that exists needs none"):
        update_index(tmp_path / "index", stores={"image": "exact"})
    update_index(tmp_path / "index", sources=[tmp_path / "in"])
    picture.unlink()
    report = update_index(tmp_path / "index", stores={"image": {"kind": "faiss"}})
    assert (report.unchanged, report.missing, list(report.stores)) == (1, (), ["image"])
    with open_index(tmp_path / "index") as index:
        assert index.store.channel("image").spec["store"] == {"kind": "faiss"}
        assert len(index.passages) == 1
    with pytest.raises(ValueError, match="without pruning"):
        update_index(tmp_path / "index", stores={"image": "exact"}, prune=True)


def test_channels_that_were_not_wanted_stay_away_and_those_of_new_files_come(
    tmp_path: Path,
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.txt").write_text("The heart pumps blood.", encoding="utf-8")
    Image.fromarray(np.full((32, 32, 3), 99, dtype=np.uint8)).save(source / "a.png")
    build_index(tmp_path / "index", sources=[source], channels=["lexical"])
    again = build_index(tmp_path / "index", sources=[source])
    assert list(again.channels) == ["lexical"]
    ontology = "format-version: 1.2\n\n[Term]\nid: X:1\nname: heart\n"
    (source / "b.obo").write_text(ontology, encoding="utf-8")
    grown = build_index(tmp_path / "index", sources=[source])
    assert list(grown.channels) == ["lexical", "graph"]
