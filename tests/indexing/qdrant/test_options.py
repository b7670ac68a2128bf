"""Options that do not go together are refused where they are written."""

from pathlib import Path
from typing import Any

import pytest

from medrag.config.place import Place
from medrag.config.recipes import planned_channel
from medrag.errors import RecipeError
from medrag.indexing.columns import Columns, ColumnsWriter
from medrag.indexing.qdrant.options import Options, check_options
from medrag.indexing.qdrant.payload import allows, keyword, time_numbers
from medrag.records import Filter, Passage, Source


def recipe(options: dict[str, Any]) -> dict[str, Any]:
    """Write a channel whose store has some options."""
    return {"encoder": {"kind": "descriptor"}, "store": {"kind": "qdrant", **options}}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"location": "/data/qdrant"}, r"pickles, which run code .* leave location out"),
        ({"url": "host:6333"}, "url must be such as https://host:6333"),
        ({"url": "https://user:secret@host"}, "QDRANT_API_KEY in the environment"),
        ({"url": "https://host?api-key=x"}, "QDRANT_API_KEY in the environment"),
        ({"url": "user:secret@host:6333"}, "must not hold a name, a password or a key"),
        ({"url": "https://h:99999"}, "port from 1 to 65,535, got 'https://h:99999'"),
        ({"url": "https://h:0"}, "port from 1 to 65,535, got 'https://h:0'"),
        ({"url": "https://[::1"}, "url must be such as https://host:6333"),
        ({"url": "https://a host"}, "url must be such as https://host:6333"),
        ({"url": ""}, "url must be such as https://host:6333"),
        ({"url": "https://host", "location": ":memory:"}, "exclude each other"),
        ({"by_domain": True}, "by_domain is an option of a server; give its url"),
        ({"collection": "x"}, "collection is an option of a server"),
        ({"url": "https://host", "collection": "a/b"}, "1 to 255 characters, none of .*'a/b'"),
        ({"url": "https://host", "collection": ""}, "1 to 255 characters, none of"),
        ({"url": "https://host", "shards": 0}, "shards must be at least 1 .*, got 0"),
        ({"url": "https://host", "replicas": -2}, "replicas must be at least 1 .*, got -2"),
        ({"url": "https://host", "grpc_port": 65_536}, "at most 65,535, got 65536"),
        ({"url": "https://host", "read_consistency": 0}, "read_consistency must be at least 1"),
        ({"timeout": 10**9}, "timeout must be .* at most 86,400, got 1000000000"),
        ({"parallel": 10**6}, "parallel must be .* at most 256"),
        ({"ef": 0}, "ef must be at least 1"),
        ({"ef": 2**62}, "ef must be at least 1 and at most 1,000,000"),
        ({"oversampling": 0.5}, "oversampling must be at least 1 .*, got 0.5"),
        ({"oversampling": float("nan")}, "oversampling must be .*, got nan"),
        ({"oversampling": float("inf")}, "oversampling must be .*, got inf"),
        ({"hnsw": {"M": 16}}, "hnsw takes whole numbers for m, ef_construct"),
        ({"hnsw": {"m": -1}}, "m of hnsw must be at least 0 .*, got -1"),
        ({"hnsw": {"m": 10**9}}, "m of hnsw must be .* at most 1,000, got 1000000000"),
        ({"hnsw": {"payload_m": 2**63}}, "payload_m of hnsw must be .* at most 1,000"),
        ({"hnsw": {"ef_construct": 3}}, "ef_construct of hnsw must be at least 4"),
        ({"hnsw": {"ef_construct": 2**40}}, "ef_construct of hnsw must be .* at most 100,000"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        check_options(Options(**options))
    with pytest.raises(RecipeError, match=rf"test, store: .*{told}"):
        planned_channel("image", recipe(options), Place("test"))


def test_a_url_that_holds_a_password_is_not_shown() -> None:
    with pytest.raises(ValueError, match="must not hold") as refused:
        check_options(Options(url="user:secret@host"))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"paralel": 3}, r"store\.paralel: unknown key .*did you mean 'parallel'"),
        ({"hnsw": {"m": "16"}}, r"store\.hnsw: expected a mapping"),
        ({"hnsw": {"m": 1.5}}, r"store\.hnsw: expected a mapping"),
        ({"url": "https://host", "shards": True}, r"store\.shards: expected a whole number"),
    ],
)
def test_what_is_no_option_or_of_another_type_is_refused(
    options: dict[str, Any], told: str
) -> None:
    with pytest.raises(RecipeError, match=told):
        planned_channel("image", recipe(options), Place("test"))


def test_a_recipe_may_say_every_option_of_its_kind() -> None:
    store = {
        "url": "https://host:6333",
        "collection": "c",
        "prefer_grpc": True,
        "by_domain": True,
        "read_consistency": 2,
        "quantization": "turbo",
        "hnsw": {"m": 32},
    }
    assert planned_channel("image", recipe(store), Place("test")).vectors is not None
    with pytest.raises(RecipeError, match="quantization"):
        planned_channel("image", recipe({**store, "quantization": "octal"}), Place("test"))


def test_times_compare_as_texts_do() -> None:
    texts = ["", "1", "2019", "2019-05", "2019-05-02T10:00", "2020", "é", "\ud800", "\U0001f600"]
    assert sorted(texts) == sorted(texts, key=time_numbers)
    assert all(part < 2**53 for text in texts for part in time_numbers(text))


def test_lone_surrogates_have_names_of_their_own() -> None:
    names = ["a", "\ud800", "\udfff", "a\ud800", "?"]
    assert len({keyword(name).encode() for name in names}) == len(names)


def test_one_row_is_allowed_as_all_rows_are(tmp_path: Path) -> None:
    writer = ColumnsWriter()
    sources = [
        Source("c", "d", "0", domain="x", subject="s", study="t", time="2019"),
        Source("c", "d", "0"),
        Source("e", "d", "0", domain="y", study="u", time="2021"),
    ]
    for row, source in enumerate(sources):
        writer.add(row, Passage("id", "text", "x", source))
    writer.write(tmp_path)
    columns = Columns(folder=tmp_path, n=3)
    for wanted in (
        Filter(),
        Filter(domains=frozenset({"x"})),
        Filter(corpora=frozenset({"e"})),
        Filter(before="2020"),
        Filter(not_studies=frozenset({"t"})),
        Filter(not_subjects=frozenset({"s"})),
        Filter(subjects=frozenset({"s"}), kinds=frozenset({"text"})),
        Filter(not_images=frozenset({"0" * 64})),
    ):
        assert [allows(columns, row, wanted) for row in range(3)] == list(columns.allowed(wanted))
