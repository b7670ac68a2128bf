"""Cards: what ships, and what a user may write."""

import json
import shlex
from pathlib import Path

import pytest
import yaml

from medrag.errors import EvaluationError
from medrag.evaluation.benchmarks import known_benchmarks, load_benchmark, read_card
from tests.evaluation.benchmarks.made import made

OWN = """
title: Questions of our ward
about: Ten questions.
licence: internal
access: open
home: the shared drive
cite: none
images_per_question: "0"
protocols: [exact]
layouts:
  - name: table
    format: csv
    splits:
      test: {files: ["ward*.csv"], expect: 2}
    id: number
    question: asked
    answer: right
"""
ASKED = """
vqa_rad slake slake_zh slake_all path_vqa pmc_vqa omnimedvqa gmai_mmbench medxpertqa_mm
medframeqa mmxu mediconfusion temmed_bench gemex mmed_rag_harvard mmed_rag_iu mmed_rag_mimic
mmed_rag_pmc_oa mmed_rag_quilt mmed_rag_harvard_report mmed_rag_iu_report mmed_rag_mimic_report
mmed_rag_pmc_oa_report mmed_rag_quilt_report r_rad r_slake rad_restruct medsg_bench medvision
medmultipoints med_mat mm_retinal_reason mimic_nle three_d_reason_knee mmcqs bimed_mbench
iu_xray mimic_cxr_reports ms_cxr mirage pubmedqa mmlu medquad beir qa openstax_ap bccd_qa sample
"""


@pytest.mark.parametrize("name", known_benchmarks())
def test_a_shipped_card_says_what_a_reader_needs(name: str) -> None:
    card = read_card(name)
    assert card.name == name
    assert card.protocols
    assert card.layouts
    assert all(layout.splits for layout in card.layouts)


def test_every_benchmark_of_the_field_has_a_card() -> None:
    assert set(ASKED.split()) <= set(known_benchmarks())


@pytest.mark.parametrize("name", known_benchmarks())
def test_counts_that_are_expected_stand_among_the_facts_or_are_told(name: str) -> None:
    card = read_card(name)
    expected = {
        split.expect for layout in card.layouts for split in layout.splits.values() if split.expect
    }
    told = " ".join((card.about, *card.facts, *card.notes)).replace(",", "")
    assert not expected or any(str(count) in told for count in expected)


@pytest.mark.parametrize("name", known_benchmarks())
def test_a_shipped_card_fetches_by_known_programs_only(name: str) -> None:
    card = read_card(name)
    assert {shlex.split(command)[0] for command in card.fetch} <= {"hf", "git"}
    assert all("{out}" in command for command in card.fetch)


def test_a_card_says_which_file_it_is(tmp_path: Path) -> None:
    assert read_card(own(tmp_path)).path == tmp_path / "ward.yaml"
    shipped = read_card("mmlu_anatomy").path
    assert (shipped.parent.name, shipped.name) == ("cards", "mmlu_anatomy.yaml")


def own(tmp_path: Path, text: str = OWN) -> Path:
    path = tmp_path / "ward.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_card_of_your_own_is_named_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "ward_1.csv").write_text("number,asked,right\n1,Why?,Because.\n2,Is it?,yes\n")
    benchmark = load_benchmark(own(tmp_path), tmp_path)
    assert benchmark.name == "ward"
    assert [item.kind for item in benchmark.items] == ["text", "yes_no"]
    assert load_benchmark(str(own(tmp_path)), tmp_path).items == benchmark.items


def test_a_card_may_be_like_another(tmp_path: Path) -> None:
    path = own(tmp_path, "like: vqa_rad\ntitle: Ours\n")
    card = read_card(path)
    assert (card.name, card.title) == ("ward", "Ours")
    assert card.layouts == read_card("vqa_rad").layouts


def test_a_column_may_hold_rows_of_its_own(tmp_path: Path) -> None:
    text = OWN.replace("format: csv", "format: json\n    explode: asks").replace(
        "ward*.csv", "w.json"
    )
    text = text.replace("id: number", 'id: [number, "@inner"]')
    asks = [{"asked": "Why?", "right": "x"}, {"asked": "How?", "right": "y"}]
    (tmp_path / "w.json").write_text(json.dumps([{"number": 7, "asks": asks}]))
    items = load_benchmark(own(tmp_path, text), tmp_path).items
    assert [(item.id, item.references) for item in items] == [("7:1", ("x",)), ("7:2", ("y",))]


@pytest.mark.parametrize(("form", "answer"), [("index", 1), ("index_from_1", 2), ("letter", "(B)")])
def test_an_answer_may_be_a_number_or_a_letter(form: str, answer: object, tmp_path: Path) -> None:
    text = OWN.replace("format: csv", "format: jsonl").replace("ward*.csv", "w.jsonl")
    text = text.replace("expect: 2", "expect: 1")
    text += f"    answer_is: {form}\n    kind: choice\n    options: among\n"
    row = {"number": 1, "asked": "Which?", "right": answer, "among": ["red", "blue"]}
    (tmp_path / "w.jsonl").write_text(json.dumps(row))
    assert load_benchmark(own(tmp_path, text), tmp_path).items[0].references == ("blue",)


def test_a_box_says_in_which_picture_it_lies(tmp_path: Path) -> None:
    text = OWN.replace("format: csv", "format: jsonl").replace("ward*.csv", "w.jsonl")
    text = text.replace("expect: 2", "expect: 1").replace("    answer: right\n", "")
    text += (
        "    kind: boxes\n    boxes: {column: box, form: xywh, image: picture}\n    images: shown\n"
    )
    row = {"number": 1, "asked": "Where?", "box": "[1, 2, 3, 4]", "picture": 1}
    (tmp_path / "w.jsonl").write_text(json.dumps({**row, "shown": ["a.png", "b.png"]}))
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n")
    region = load_benchmark(own(tmp_path, text), tmp_path).items[0].regions[0]
    assert (region.image, region.box) == (1, (1, 2, 4, 6))


def test_an_unknown_name_is_met_with_near_ones() -> None:
    with pytest.raises(EvaluationError, match="'vqarad'; did you mean vqa_rad"):
        read_card("vqarad")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("question: asked", "qestion: asked"), "unknown key 'qestion'; did you mean 'question'"),
        (("    question: asked\n", ""), "the key 'question' is missing"),
        (("access: open", "access: maybe"), "'maybe' is none of open, sign-up"),
        (("protocols: [exact]", "protocols: [best]"), "'best' is none of llava_med"),
        (("format: csv", "format: xls"), "'xls' is none of json"),
        (("expect: 2", "expect: two"), "expected a count, found 'two'"),
        (("id: number", "id: {of: number, match: '('}"), "no regular expression"),
        (("id: number", "adapter: none_such"), "'none_such' is none of"),
        (("id: number", "clean: [wash]"), "'wash' is none of choices"),
        (("title: Questions of our ward", "title: [1, 2]"), "title: expected a text"),
        (("layouts:", "layout:"), "unknown key 'layout'"),
        (("id: number", "kind: {of: number, is: {a: poem}}"), "'poem' is none of yes_no"),
        (("expect: 2", "expect_each: {t: 5}"), "expect_each: t: expected a count for each value"),
        (("expect: 2", "expect_each: [1]"), "expect_each: expected keys with values"),
        (("expect: 2", "expect_each: {t: {a: x}}"), "expected a count, found 'x'"),
        (("cite: none", 'cite: none\nfetch: [""]'), "fetch: expected a command, found an empty"),
        (("cite: none", "cite: none\nfetch: ['git \"x']"), "is no command"),
        (("cite: none", "cite: none\nfetch: [curl x]"), "'curl' is none of hf, git"),
        (("cite: none", 'cite: none\nfetch: ["git \\e[2J"]'), r"character U\+001B"),
        (("cite: none", 'cite: none\nfetch: ["git \\u202e"]'), r"character U\+202E"),
        (("cite: none", 'cite: "no\\x07ne"'), r"cite: holds the character U\+0007"),
        (("test: {files", '"te\\est": {files'), r"splits: holds the character U\+001B"),
        (("cite: none", "cite: none\npath: x"), "unknown key 'path'"),
    ],
)
def test_a_mistake_in_a_card_is_named(
    change: tuple[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(EvaluationError, match=message):
        read_card(own(tmp_path, OWN.replace(*change)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a\n- b\n",
        "a: [",
        "a: &x [1]\nb: [*x, *x]\n",
        "title: a\ntitle: b\n",
        "like: none_such\n",
        "\0",
        "1: 2\n",
    ],
)
def test_a_file_that_is_no_card_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError):
        read_card(own(tmp_path, text))


def test_a_card_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="cannot be read"):
        read_card(tmp_path / "none.yaml")


def test_the_example_of_the_readme_is_a_card(tmp_path: Path) -> None:
    readme = Path(read_card.__code__.co_filename).parent / "README.md"
    blocks = readme.read_text(encoding="utf-8").split("```yaml\n")[1:]
    cards = [block.split("```")[0] for block in blocks]
    whole = next(card for card in cards if "layouts:" in card and "title:" in card)
    assert read_card(own(tmp_path, whole)).title == yaml.safe_load(whole)["title"]


def test_the_folder_of_a_fixture_fits_its_own_card_first(tmp_path: Path) -> None:
    assert load_benchmark("mmxu", made("mmxu", tmp_path), subset=True).layout == "official"
