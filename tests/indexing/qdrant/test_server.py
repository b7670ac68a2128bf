"""A server is told the right things, and what it says back is understood."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medrag.errors import IndexFormatError, MedragError
from medrag.indexing.checking import verify
from medrag.indexing.maintenance import remove, repair
from medrag.indexing.qdrant import connecting
from medrag.indexing.storage import Store, open_store
from medrag.records import Filter
from tests.indexing.qdrant.fake_server import FakeServer, serving
from tests.indexing.qdrant.lines import asked, built, channels, check_same, lines, searching

QUESTIONS = asked("pleural effusion", "left lung", "no heart")
DOMAINS = {
    "by_domain": True,
    "collection": "c",
    "shards": 2,
    "replicas": 3,
    "write_consistency": 2,
    "read_consistency": "majority",
}


def check(store: Store, wanted: Filter | None = None) -> None:
    check_same(store, searching(store), QUESTIONS, 10, [wanted or Filter()] * 3)
    assert verify(store.folder) == []


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "_PAUSES", (0.0, 0.0))
    monkeypatch.delenv("QDRANT_API_KEY", raising=False)


def test_an_index_is_uploaded_and_followed(quick: Path, server: FakeServer, url: str) -> None:
    options = {"url": url, "collection": "c"}
    check(built(quick, {"a.lines": lines(1, 30), "b.lines": lines(2, 20)}, options))
    assert sum(len(r.body["points"]) for r in server.of("PUT", "/points")) == 50
    server.requests.clear()
    check(built(quick, {"b.lines": [*lines(2, 20)[:15], *lines(3, 4)]}, options))
    # Five of the old file are gone; the four new ones are all that is sent.
    assert sum(len(r.body["points"]) for r in server.of("PUT", "/points")) == 4
    assert sum(len(r.body["points"]) for r in server.of("POST", "/points/delete")) == 5
    remove(quick / "index", ["a.lines"])
    check(open_store(quick / "index"))
    assert len(server.points("c")[""]) == 19


def test_points_are_keyed_by_passage_and_say_what_filters_ask(
    quick: Path, server: FakeServer, url: str
) -> None:
    store = built(quick, {"a.lines": lines(1, 30)}, {"url": url, "collection": "c"})
    held = server.points("c")[""]
    assert set(held) == {passage.id for passage in store.passages}
    for passage in store.passages:
        payload = held[passage.id]
        assert payload.get("domain") == passage.source.domain
        assert payload.get("subject") == passage.source.subject
        assert payload.get("images", []) == [
            image.sha256 for image in passage.images if image.sha256
        ]
        assert ("time_0" in payload) == (passage.source.time is not None)
    fields = {r.body["field_name"]: r.body["field_schema"] for r in server.of("PUT", "/index")}
    assert fields["domain"] == fields["images"] == "keyword"
    assert fields["time_0"] == "integer"


def test_a_repeated_upload_sends_no_point(quick: Path, server: FakeServer, url: str) -> None:
    store = built(quick, {"a.lines": lines(1, 30)}, {"url": url, "collection": "c"})
    server.requests.clear()
    built(quick, {}, {"url": url, "collection": "c"})
    assert server.requests == []
    # Even if what was derived is forgotten, the collection says that it holds just that.
    repair(store.folder)
    assert [r.method for r in server.requests if r.method != "GET"] == ["POST"]
    assert len(server.of("POST", "/points/count")) == 1


def test_a_collection_is_made_as_the_recipe_says(quick: Path, server: FakeServer, url: str) -> None:
    options = {
        "url": url,
        "collection": "c",
        "shards": 6,
        "replicas": 2,
        "write_consistency": 1,
        "quantization": "scalar",
        "hnsw": {"m": 24, "ef_construct": 200},
        "ef": 77,
        "oversampling": 2.5,
    }
    store = built(quick, {"a.lines": lines(1, 10)}, options)
    (made,) = [r.body for r in server.of("PUT", "/collections/c")]
    assert (made["shard_number"], made["replication_factor"]) == (6, 2)
    assert made["write_consistency_factor"] == 1
    vectors = made["vectors"]["words"]
    assert (vectors["size"], vectors["distance"], vectors["on_disk"]) == (16, "Dot", True)
    assert vectors["quantization_config"]["scalar"]["type"] == "int8"
    # No graph while points pour in; the wanted one afterwards.
    assert vectors["hnsw_config"]["m"] == 0
    changes = [r.body["vectors"] for r in server.of("PATCH", "/c") if "vectors" in r.body]
    assert changes == [
        {"words": {"hnsw_config": {"m": 24, "ef_construct": 200, "full_scan_threshold": 10_000}}}
    ]
    searching(store).search(QUESTIONS, 3, [Filter()] * 3)
    (query,) = server.of("POST", "/points/query/batch")
    assert len(query.body["searches"]) == 3


def test_search_parameters_are_sent(quick: Path, server: FakeServer, url: str) -> None:
    options = {"url": url, "quantization": "binary", "ef": 77, "oversampling": 2.5, "exact": True}
    sent: list[dict[str, Any]] = []
    real = server.answer

    def answer(request: Any, key: str | None) -> Any:
        if request.path.endswith("/query/batch"):
            sent.extend(json.loads(json.dumps(request.body["searches"])))
        return real(request, key)

    server.answer = answer  # type: ignore[method-assign]
    store = built(quick, {"a.lines": lines(1, 10)}, options)
    searching(store).search(asked("lung"), 3, [Filter(kinds=frozenset({"text"}))])
    (search,) = sent
    assert search["params"]["hnsw_ef"] == 77
    assert search["params"]["exact"] is True
    assert search["params"]["quantization"] == {"rescore": True, "oversampling": 2.5}
    assert search["using"] == "words"
    assert search["filter"]["must"] == [{"key": "kind", "match": {"any": ["text"]}}]


def test_each_domain_has_its_own_shards(quick: Path, server: FakeServer, url: str) -> None:
    store = built(quick, {"a.lines": lines(1, 60)}, {"url": url, **DOMAINS})
    (made,) = [r.body for r in server.of("PUT", "/collections/c")]
    assert made["sharding_method"] == "custom"
    keys = {r.body["shard_key"]: r.body for r in server.of("PUT", "/shards")}
    domains = {passage.source.domain or "medrag:none" for passage in store.passages}
    assert set(keys) == domains
    assert keys["radiology"]["shards_number"] == 2
    assert keys["radiology"]["replication_factor"] == 3
    held = server.points("c")
    for passage in store.passages:
        assert passage.id in held[passage.source.domain or "medrag:none"]
    assert sum(len(points) for points in held.values()) == len(store.passages)
    check(store)


def test_a_filter_on_domains_asks_only_their_shards(
    quick: Path, server: FakeServer, url: str
) -> None:
    store = built(quick, {"a.lines": lines(1, 60)}, {"url": url, **DOMAINS})
    asked_keys: list[Any] = []
    real = server._chosen

    def chosen(held: Any, selector: Any, what: str) -> list[str]:
        asked_keys.append(selector)
        return real(held, selector, what)

    server._chosen = chosen  # type: ignore[method-assign]
    search = searching(store)
    two = frozenset({"radiology", "pathology"})
    for domains, keys in [
        (two, ["pathology", "radiology"]),
        (frozenset({"radiology", "nowhere"}), ["radiology"]),
        (frozenset(), None),
    ]:
        asked_keys.clear()
        check_same(store, search, asked("lung"), 5, [Filter(domains=domains)])
        assert asked_keys == [keys]
    server.requests.clear()
    nowhere = Filter(domains=frozenset({"nowhere"}))
    assert search.search(asked("lung"), 5, [nowhere]) == [[]]
    assert server.of("POST", "/query/batch") == []
    search.search(asked("lung"), 5, [Filter()])
    (query,) = server.of("POST", "/query/batch")
    assert query.query["consistency"] == ["majority"]


def test_a_passage_that_goes_to_another_domain_leaves_its_old_shards(
    quick: Path, server: FakeServer, url: str
) -> None:
    line = {"text": "effusion", "domain": "radiology"}
    built(quick, {"a.lines": [line, "lung"]}, {"url": url, **DOMAINS})
    store = built(
        quick, {"a.lines": [{**line, "domain": "pathology"}, "lung"]}, {"url": url, **DOMAINS}
    )
    held = server.points("c")
    assert [len(held[key]) for key in ("radiology", "pathology", "medrag:none")] == [0, 1, 1]
    check(store, Filter(domains=frozenset({"pathology"})))


def test_verify_tells_a_collection_of_another_state(
    quick: Path, server: FakeServer, url: str
) -> None:
    store = built(quick, {"a.lines": lines(1, 30)}, {"url": url, "collection": "c"})
    server.held["c"].metadata["medrag"]["state"] = ""
    (problem,) = verify(store.folder)
    assert "an upload to it was cut short" in problem.problem
    repair(store.folder)
    check(open_store(store.folder))


@pytest.mark.parametrize("options", [{"collection": "c"}, DOMAINS], ids=["plain", "by domain"])
def test_an_upload_cut_short_is_mended_by_the_next_build(
    quick: Path, server: FakeServer, url: str, options: dict[str, Any]
) -> None:
    options = {"url": url, **options}
    first = built(quick, {"a.lines": lines(1, 30)}, options)
    real = server.answer

    def dying(request: Any, key: str | None) -> Any:
        result = real(request, key)
        # The points arrive; the news of it does not.
        server.failures = [418] if request.method == "PUT" and "points" in request.path else []
        return result

    server.answer = dying  # type: ignore[method-assign]
    with pytest.raises(MedragError, match="status 418"):
        built(quick, {"b.lines": lines(2, 30)}, options)
    server.answer = real  # type: ignore[method-assign]
    server.failures.clear()
    between = open_store(quick / "index")
    assert between.derived("words") == first.derived("words")
    check_same(between, searching(between), QUESTIONS, 10, [Filter()] * 3)
    assert "are not those of the segments (60)" in verify(quick / "index")[0].problem
    # What arrived of b, which is gone by then, must not stay.
    (quick / "in" / "b.lines").unlink()
    remove(quick / "index", ["b.lines"])
    check(open_store(quick / "index"))
    assert sum(len(points) for points in server.points("c").values()) == 30


def test_points_of_others_and_of_other_states_are_never_returned(
    quick: Path, server: FakeServer, url: str
) -> None:
    options = {"url": url, "collection": "c"}
    old = built(quick, {"a.lines": lines(1, 30), "b.lines": lines(2, 20)}, options)
    search = searching(old)
    check_same(old, search, asked("lung"), 100, [Filter()])
    built(quick, {"a.lines": lines(3, 30)}, options)
    # A reader that opened the older state still gets what both have.
    (found,) = search.search(asked("lung"), 100, [Filter()])
    assert found
    kept = {passage.id for passage in open_store(quick / "index").passages}
    assert {p.id for p in old.passages_at([hit.row for hit in found])} <= kept


def test_a_busy_server_is_asked_again(quick: Path, server: FakeServer, url: str) -> None:
    store = built(quick, {"a.lines": lines(1, 10)}, {"url": url})
    search = searching(store)
    search.search(asked("lung"), 1, [Filter()])
    server.failures = [503, 429]
    assert search.search(asked("lung"), 1, [Filter()])[0]
    server.failures = [500] * 3
    with pytest.raises(MedragError, match=r"failed at collection .*status 500"):
        search.search(asked("lung"), 1, [Filter()])


def test_a_server_that_is_gone_is_named(quick: Path, server: FakeServer) -> None:
    with serving(server) as url:
        store = built(quick, {"a.lines": lines(1, 10)}, {"url": url})
    with pytest.raises(MedragError, match=rf"{url} cannot be reached .*is it running"):
        searching(store).search(asked("lung"), 1, [Filter()])
    (problem,) = verify(store.folder)
    assert "cannot be reached" in problem.problem
    with pytest.raises(MedragError, match="cannot be reached"):
        built(quick, {"b.lines": lines(2, 3)}, {"url": url})


def test_grpc_is_spoken_where_it_is_asked_for(quick: Path, server: FakeServer, url: str) -> None:
    # Nobody listens to gRPC at the port of REST requests that were answered just now.
    port = int(url.rsplit(":", 1)[1])
    with pytest.raises(MedragError, match=r"cannot be reached|failed at collection"):
        built(
            quick,
            {"a.lines": lines(1, 3)},
            {"url": url, "prefer_grpc": True, "grpc_port": port, "timeout": 2},
        )
    assert server.requests == []


def test_the_key_comes_from_the_environment_and_stays_out_of_the_index(
    quick: Path, server: FakeServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = "a-secret-key"
    options = {"url": url, "collection": "c"}
    with pytest.raises(MedragError, match=r"refuses access .*403.*QDRANT_API_KEY"):
        built(quick, {"a.lines": lines(1, 10)}, options)
    monkeypatch.setenv("QDRANT_API_KEY", "another")
    with pytest.raises(MedragError, match="refuses access") as refused:
        built(quick, {}, options)
    assert "another" not in str(refused.value)
    monkeypatch.setenv("QDRANT_API_KEY", server.key)
    check(built(quick, {}, options))
    assert server.keys_seen == {None, "another", server.key}
    for path in (quick / "index").rglob("*"):
        assert not path.is_file() or server.key.encode() not in path.read_bytes()


def test_a_key_is_not_sent_in_clear_to_another_machine(
    quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", "a-secret-key")
    with pytest.raises(MedragError, match=r"http://192\.0\.2\.1:6333 in clear; give an https"):
        built(quick, {"a.lines": lines(1, 3)}, {"url": "http://192.0.2.1:6333"})


def test_collections_of_others_are_left_alone(quick: Path, server: FakeServer, url: str) -> None:
    options = {"url": url, "collection": "c"}
    built(quick / "one", {"a.lines": lines(1, 10)}, options)
    with pytest.raises(IndexFormatError, match="belongs to another index"):
        built(quick / "two", {"a.lines": lines(2, 10)}, options)
    server.held["c"].metadata.clear()
    with pytest.raises(IndexFormatError, match="was not made by medrag"):
        built(quick / "two", {}, options)
    assert len(server.points("c")[""]) == 10


def test_a_collection_that_is_gone_or_of_another_dimension_is_told(
    quick: Path, server: FakeServer, url: str
) -> None:
    options = {"url": url, "collection": "c"}
    store = built(quick, {"a.lines": lines(1, 10)}, options)
    server.held["c"].made["vectors"]["words"]["size"] = 7
    told = rf"has 7 numbers .* but the index has 16; upload .*verify {store.folder} --repair"
    with pytest.raises(IndexFormatError, match=told):
        searching(store).search(asked("lung"), 1, [Filter()])
    server.held["c"].made["vectors"]["words"]["size"] = 16
    server.forget("c")
    with pytest.raises(IndexFormatError, match="has no collection 'c'; upload it again"):
        searching(store).search(asked("lung"), 1, [Filter()])
    repair(store.folder)
    check(open_store(store.folder))


def test_a_collection_that_goes_while_it_is_searched_is_told_with_the_way_to_have_it_again(
    quick: Path, server: FakeServer, url: str
) -> None:
    store = built(quick, {"a.lines": lines(1, 10)}, {"url": url, "collection": "c"})
    search = searching(store)
    search.search(asked("lung"), 1, [Filter()])
    server.forget("c")
    with pytest.raises(IndexFormatError, match=f"upload it again: .*verify {store.folder} --rep"):
        search.search(asked("lung"), 1, [Filter()])
    repair(store.folder)
    check(open_store(store.folder))


def test_another_way_of_making_replaces_the_collection(
    quick: Path, server: FakeServer, url: str
) -> None:
    options = {"url": url, "collection": "c"}
    built(quick, {"a.lines": lines(1, 10)}, options)
    store = built(quick, {}, {**options, "quantization": "binary"})
    assert "binary" in server.held["c"].made["vectors"]["words"]["quantization_config"]
    check(store)


def test_channels_of_an_index_share_a_collection_of_its_name(
    quick: Path, server: FakeServer, url: str
) -> None:
    plans = channels({"url": url}, ("words", "titles"))
    store = built(quick, {"a.lines": lines(1, 20)}, channels=plans)
    (name,) = server.held
    assert name.startswith("medrag-index-")
    assert set(server.held[name].made["vectors"]) == {"words", "titles"}
    for channel in plans:
        check_same(store, searching(store, channel), QUESTIONS, 5, [Filter()] * 3)


def test_uploads_run_side_by_side(quick: Path, server: FakeServer, url: str) -> None:
    store = built(quick, {"a.lines": lines(1, 700)}, {"url": url, "parallel": 4})
    sizes = [len(r.body["points"]) for r in server.of("PUT", "/points")]
    assert len(sizes) == 3
    assert max(sizes) == 256
    assert sum(sizes) == len(store.passages)
    assert sum(map(len, server.points(next(iter(server.held))).values())) == len(store.passages)
    assert np.isfinite(searching(store).search(asked("lung"), 1, [Filter()])[0][0].score)
