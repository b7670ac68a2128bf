import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.errors import InputFileError
from medrag.identity import pseudonym
from medrag.ingestion.detect import detect
from medrag.ingestion.lines import BadRecordError
from medrag.ingestion.radgraph import RadGraphIngestor
from medrag.ingestion.reporttriples import graph_triples, string_triples, told
from medrag.records import Corpus, Passage, Skipped

KEY = b"a key of the tests"
WORDS = "FINDINGS : Small left pleural effusion . Opacity may be pneumonia . No pneumothorax ."


def entity(tokens: str, label: str, at: int, *relations: tuple[str, str]) -> dict[str, Any]:
    last = at + len(tokens.split()) - 1
    linked = [list(each) for each in relations]
    return {"tokens": tokens, "label": label, "start_ix": at, "end_ix": last, "relations": linked}


def report(**further: object) -> dict[str, Any]:
    """One report: a modified and placed effusion, a hedged suggestion, and a denied finding."""
    entities = {
        "1": entity("Small", "OBS-DP", 2, ("modify", "4")),
        "2": entity("left", "ANAT-DP", 3, ("modify", "3")),
        "3": entity("pleural", "ANAT-DP", 4),
        "4": entity("effusion", "OBS-DP", 5, ("located_at", "3")),
        "5": entity("Opacity", "OBS-DP", 7, ("suggestive_of", "6")),
        "6": entity("pneumonia", "OBS-U", 10),
        "7": entity("pneumothorax", "OBS-DA", 13),
    }
    return {"text": WORDS, "entities": entities, **further}


def read(path: Path, **options: Any) -> tuple[list[Passage], list[Skipped]]:
    ingestor = RadGraphIngestor(corpus=Corpus("reports", path.parent), key=KEY, **options)
    found = list(ingestor.passages(path))
    return (
        [each for each in found if isinstance(each, Passage)],
        [each for each in found if isinstance(each, Skipped)],
    )


def written(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_report_becomes_one_sentence_per_triple(tmp_path: Path) -> None:
    path = written(tmp_path, "graphs.json", {"p10/p10000032/s50414267.txt": report()})
    facts, skipped = read(path)
    assert not skipped
    assert [fact.text for fact in facts] == [
        "There is small left pleural effusion.",
        "The report speaks of the left pleural.",
        "There is small left pleural effusion.",
        "Opacity is possibly suggestive of pneumonia.",
        "There is possible pneumonia.",
        "There is no pneumothorax.",
    ]
    assert {fact.kind for fact in facts} == {"fact"}


def test_a_fact_keeps_the_words_of_the_graph_and_the_longer_names(tmp_path: Path) -> None:
    facts, _ = read(written(tmp_path, "graphs.json", {"one report": report()}))
    placed = next(fact for fact in facts if fact.fields["relation"] == "located_at")
    assert placed.fields["head"] == "effusion"
    assert placed.fields["head_name"] == "small left pleural effusion"
    assert placed.fields["tail"] == "pleural"
    assert placed.fields["stated"] == "Small left pleural effusion ."


def test_what_a_report_denies_is_no_positive_fact(tmp_path: Path) -> None:
    denied = {
        "1": entity("pleural", "ANAT-DP", 1),
        "2": entity("effusion", "OBS-DA", 2, ("located_at", "1"), ("suggestive_of", "3")),
        "3": entity("failure", "OBS-U", 5),
    }
    text = "No pleural effusion to suggest failure ."
    path = written(tmp_path, "graphs.json", {"one": {"text": text, "entities": denied}})
    facts, _ = read(path, relations=("located_at", "suggestive_of"))
    assert [fact.text for fact in facts] == [
        "There is no pleural effusion.",
        "There is no pleural effusion suggestive of failure.",
    ]
    assert [fact.fields["relation"] for fact in facts] == ["not_located_at", "not_suggestive_of"]
    assert {fact.fields["polarity"] for fact in facts} == {"absent"}


def test_an_observation_without_relations_tells_its_state(tmp_path: Path) -> None:
    facts, _ = read(written(tmp_path, "graphs.json", {"one": report()}), relations=("is",))
    states = [tuple(fact.fields[role] for role in ("head", "relation", "tail")) for fact in facts]
    assert states == [("pneumonia", "is", "possible"), ("pneumothorax", "is", "absent")]


def test_labels_of_radgraph_xl_mean_the_same(tmp_path: Path) -> None:
    long = {"OBS-DP": "Observation::definitely present", "OBS-U": "Observation::uncertain",
            "OBS-DA": "Observation::definitely absent", "ANAT-DP": "Anatomy::definitely present",
            }  # fmt: skip
    xl = report()
    for each in xl["entities"].values():
        each["label"] = long[each["label"]]
    short_facts, _ = read(written(tmp_path, "short.json", {"one": report()}))
    long_facts, _ = read(written(tmp_path, "long.json", {"one": xl}))
    assert [f.fields for f in short_facts] == [f.fields for f in long_facts]


def test_subject_and_study_come_from_the_id_through_the_keyed_hash(tmp_path: Path) -> None:
    path = written(tmp_path, "graphs.json", {"p10/p10000032/s50414267.txt": report()})
    facts, _ = read(path)
    assert {fact.source.subject for fact in facts} == {pseudonym("10000032", KEY)}
    assert {fact.source.study for fact in facts} == {pseudonym("50414267", KEY)}
    assert not any("10000032" in json.dumps(dict(fact.fields)) for fact in facts)


def test_a_column_of_the_subject_goes_before_the_id(tmp_path: Path) -> None:
    record = report(report_id="patient7/study2/view1", subject_id="S-1")
    facts, _ = read(written(tmp_path, "graphs.jsonl", json.dumps(record)))
    assert facts[0].source.subject == pseudonym("S-1", KEY)
    assert facts[0].source.study == pseudonym("patient7/study2", KEY)


def test_a_bare_number_names_no_study(tmp_path: Path) -> None:
    facts, _ = read(written(tmp_path, "graphs.json", {"0": report(), "1": report()}))
    assert {fact.source.study for fact in facts} == {None}
    assert len({fact.id for fact in facts}) == len(facts)


@pytest.mark.parametrize("shape", ["object", "indented", "lines", "lines of objects"])
def test_the_shape_of_the_file_does_not_matter(tmp_path: Path, shape: str) -> None:
    reports = {f"p10/p1000003{i}/s5041426{i}.txt": report() for i in range(3)}
    content = {
        "object": json.dumps(reports),
        "indented": json.dumps(reports, indent=1),
        "lines": "\n".join(json.dumps({"report_id": k, **v}) for k, v in reports.items()),
        "lines of objects": "\n".join(json.dumps({k: v}) for k, v in reports.items()),
    }[shape]
    path = written(tmp_path, "graphs.json", content)
    assert detect(path).kind == "radgraph"
    facts, skipped = read(path)
    assert not skipped
    assert len(facts) == 18
    assert len({fact.source.study for fact in facts}) == 3


def test_the_first_labeller_counts(tmp_path: Path) -> None:
    labelled = {
        "text": WORDS,
        "labeler_1": {"entities": {"1": entity("opacity", "OBS-DP", 7)}},
        "labeler_2": {"entities": {"1": entity("edema", "OBS-DP", 7)}},
    }
    facts, _ = read(written(tmp_path, "test.json", {"one": labelled}))
    assert [fact.fields["head"] for fact in facts] == ["opacity"]


def test_a_bad_report_is_skipped_with_its_line_and_the_others_count(tmp_path: Path) -> None:
    reports: dict[str, Any] = {"one": report(), "two": {"entities": {"1": {"tokens": 3}}}}
    reports["three"] = report()
    facts, skipped = read(written(tmp_path, "graphs.json", json.dumps(reports, indent=0)))
    assert len(facts) == 12
    (bad,) = skipped
    assert bad.failed
    lines = json.dumps(reports, indent=0).split("\n")
    line = next(i for i, each in enumerate(lines, 1) if each.startswith('"two"'))
    assert bad.detail == f"line {line}, report 2: entity '1' has no 'tokens'"


def test_a_file_that_breaks_off_keeps_what_stands_before(tmp_path: Path) -> None:
    whole = json.dumps({"one": report(), "two": report()}, indent=0)
    facts, skipped = read(written(tmp_path, "graphs.json", whole[: int(len(whole) * 0.7)]))
    assert len(facts) == 6
    assert "not JSON from here on" in skipped[0].detail


def test_a_report_larger_than_what_is_read_at_once_is_read_whole(tmp_path: Path) -> None:
    long = report()
    long["text"] += " word" * 400_000
    facts, skipped = read(written(tmp_path, "graphs.json", {"one": long, "two": report()}))
    assert (len(facts), skipped) == (12, [])


def test_an_empty_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="empty"):
        read(written(tmp_path, "graphs.json", ""))


def images_of_a_study() -> list[dict[str, object]]:
    folder = "files/p10/p10000032/s50414267"
    triplets = "(opacity, suggestive_of, pneumonia); (No effusion, suggestive_of, failure)"
    return [
        {"img_id": name, "img_path": f"{folder}/{name}.jpg", "split": "train", "triplets": triplets}
        for name in ("front", "side")
    ]


def test_the_pictures_of_a_study_share_its_triplets(tmp_path: Path) -> None:
    path = written(tmp_path, "mimic_nle_kg_suggestive.json", images_of_a_study())
    assert detect(path).kind == "radgraph"
    facts, skipped = read(path)
    assert [fact.text for fact in facts] == [
        "Opacity is suggestive of pneumonia.",
        "There is no effusion suggestive of failure.",
    ]
    assert facts[1].fields["relation"] == "not_suggestive_of"
    assert {fact.source.study for fact in facts} == {pseudonym("50414267", KEY)}
    assert [(each.reason, each.count) for each in skipped] == [("missing_image", 2)]


def test_a_picture_that_is_there_belongs_to_the_facts(tmp_path: Path) -> None:
    from PIL import Image

    records = images_of_a_study()
    for number, each in enumerate(records):
        image = tmp_path / str(each["img_path"])
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(image)
    found, skipped = read(written(tmp_path, "triplets.json", records))
    assert not skipped
    facts = [each for each in found if each.kind == "fact"]
    assert [len(fact.images) for fact in facts] == [2, 2]
    assert all(image.sha256 for fact in facts for image in fact.images)
    pictures = [each for each in found if each.kind == "image"]
    assert [each.images for each in pictures] == [(image,) for image in facts[0].images]
    assert {each.source.subject for each in pictures} == {pseudonym("10000032", KEY)}


def test_other_splits_can_be_left_out(tmp_path: Path) -> None:
    records = images_of_a_study()
    records[0]["split"] = records[1]["split"] = "test"
    assert read(written(tmp_path, "triplets.json", records), splits=("train",)) == ([], [])


def test_what_is_no_triple_is_counted(tmp_path: Path) -> None:
    records = images_of_a_study()[:1]
    records[0]["triplets"] = "(opacity, suggestive_of, pneumonia); (opacity, pneumonia)"
    facts, skipped = read(written(tmp_path, "triplets.json", records))
    assert len(facts) == 1
    assert "record 1: 1 pieces of 'triplets' are not" in skipped[0].detail


def test_triplets_without_brackets_are_read_too() -> None:
    triples, n_bad = string_triples("low volumes, suggestive_of, atelectasis | x suggestive_of y")
    assert [(t.head.words, t.tail.words) for t in triples] == [
        ("low volumes", "atelectasis"),
        ("x", "y"),
    ]
    assert n_bad == 0


def test_a_long_run_of_blanks_takes_no_longer_than_its_length() -> None:
    began = time.perf_counter()
    for text in ("a" + " " * 300_000 + "b", "a" + ", " * 300_000 + "b, modify"):
        assert string_triples(text) == ([], 1)
    # Linear: some milliseconds; the square of it would be hours.
    assert time.perf_counter() - began < 5


def test_an_unknown_relation_to_keep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="relations must be some of"):
        RadGraphIngestor(corpus=Corpus("c", tmp_path), key=KEY, relations=("of",))  # type: ignore[arg-type]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 20) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=8,
)
ENTITY = st.fixed_dictionaries(
    {
        "tokens": st.text(max_size=12) | JSON,
        "label": st.sampled_from(["OBS-DP", "OBS-U", "OBS-DA", "ANAT-DP", "CHAN-NC", "?"]) | JSON,
        "start_ix": st.integers(-3, 20),
        "end_ix": st.integers(-3, 20),
        "relations": st.lists(
            st.tuples(st.sampled_from(["modify", "located_at", "suggestive_of"]),
                      st.sampled_from(["1", "2", "3"])).map(list), max_size=3) | JSON,
    }
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["1", "2", "3"]), ENTITY), st.text(max_size=60))
def test_whatever_the_entities_are_they_are_read_or_refused(
    entities: dict[str, Any], text: str
) -> None:
    try:
        triples = graph_triples({"text": text, "entities": entities})
    except BadRecordError:
        return
    for triple in triples:
        absent = "absent" in (triple.head.status, triple.tail.status)
        assert triple.relation.startswith("not_") == (absent and triple.relation != "is")
        assert (" no " in told(triple) or " not " in told(triple)) or not absent


@given(st.text(alphabet="(),; abc_", max_size=80) | st.text(max_size=80))
def test_whatever_a_string_of_triplets_is_no_piece_is_lost(text: str) -> None:
    triples, n_bad = string_triples(text)
    assert triples or n_bad or not any(letter.isalnum() for letter in text)


@given(st.text(max_size=200) | JSON.map(json.dumps))
def test_whatever_the_file_holds_nothing_else_than_a_bad_file_is_raised(
    tmp_path_factory: pytest.TempPathFactory, content: str
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "graphs.json"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    try:
        facts, _ = read(path)
    except InputFileError:
        return
    assert all(fact.text for fact in facts)
