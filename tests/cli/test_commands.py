"""The commands as a person and a program use them: output, JSON, exit codes."""

import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
from typer.testing import Result

from tests.cli.conftest import NOTES, Run


def shape(result: Result) -> dict[str, object]:
    assert result.exit_code == 0, result.output
    value = json.loads(result.stdout)
    assert isinstance(value, dict)
    return value


def test_a_build_says_what_it_found_and_what_it_left_out(
    medrag: Run, library: Path, tmp_path: Path
) -> None:
    result = medrag("index", "build", tmp_path / "ix", "--from", library)
    assert result.exit_code == 0, result.output
    assert "3 added" in result.stdout
    assert "program.bin" in result.stdout
    assert "2  referenced" in result.stdout


def test_the_same_build_again_does_nothing_and_says_so(
    medrag: Run, library: Path, tmp_path: Path
) -> None:
    medrag("index", "build", tmp_path / "ix", "--from", library)
    again = medrag("index", "build", tmp_path / "ix", "--from", library)
    assert again.exit_code == 0
    assert "nothing to do: 3 files" in again.stdout


@pytest.mark.parametrize(
    ("store", "told"),
    [
        ("faiss", "image is now searched by faiss: 3 files are"),
        ("image=exact:int8", "image is now searched by exact (scan int8): 3 files are"),
        ("lexical=qdrant", "lexical is now searched by qdrant: 3 files are"),
    ],
)
def test_a_change_of_store_alone_says_what_searches_the_channel_now(
    medrag: Run, library: Path, tmp_path: Path, store: str, told: str
) -> None:
    build = ("index", "build", tmp_path / "ix", "--from", library)
    medrag(*build)
    moved = medrag(*build, "--store", store)
    assert moved.exit_code == 0, moved.output
    assert moved.stdout.startswith(told)
    assert "nothing to do" in medrag(*build).stdout
    assert medrag("index", "verify", tmp_path / "ix").exit_code == 0


def test_a_change_of_store_is_told_beside_what_is_new(
    medrag: Run, library: Path, tmp_path: Path
) -> None:
    build = ("index", "build", tmp_path / "ix", "--from")
    medrag(*build, library / "one.png")
    moved = medrag(*build, library, "--store", "faiss")
    assert "3 added" in moved.stdout
    assert "  image is now searched by faiss" in moved.stdout


def test_a_file_that_is_no_longer_given_is_told_whether_kept_or_removed(
    medrag: Run, tmp_path: Path
) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "gout.md").write_text(NOTES)
    (sources / "gone.md").write_text(NOTES.replace("Gout", "Podagra"))
    medrag("index", "build", tmp_path / "ix", "--from", sources)
    (sources / "gone.md").unlink()
    kept = medrag("index", "build", tmp_path / "ix", "--from", sources)
    removed = medrag("index", "build", tmp_path / "ix", "--from", sources, "--prune")
    after = medrag("index", "build", tmp_path / "ix", "--from", sources)
    assert "no longer given: 1 file kept (see --prune)" in kept.stdout
    assert "no longer given: 1 file removed" in removed.stdout
    assert "nothing to do: 1 file is" in after.stdout


def test_adding_a_file_does_not_miss_the_others(medrag: Run, library: Path, tmp_path: Path) -> None:
    medrag("index", "build", tmp_path / "ix", "--from", library / "notes.md")
    added = medrag("index", "add", tmp_path / "ix", library / "graph.tsv")
    assert "1 added" in added.stdout
    assert "no longer given" not in added.stdout


def test_the_way_out_of_a_file_that_was_not_read_is_shown_whole(
    medrag: Run, tmp_path: Path
) -> None:
    table = tmp_path / "sources" / "befunde.csv"
    table.parent.mkdir()
    columns = [f"Spalte mit langem Namen {n}" for n in range(12)]
    table.write_text(",".join(columns) + "\n" + ",".join("x" * 12) + "\n")
    result = medrag("index", "build", tmp_path / "ix", "--from", table.parent)
    assert "corpus card (kind and columns)" in " ".join(result.stdout.split())
    assert "…" not in result.stdout


def test_info_says_where_the_sources_are_from_any_folder(
    medrag: Run, library: Path, tmp_path: Path
) -> None:
    medrag("index", "build", tmp_path / "ix", "--from", library)
    assert str(library) in medrag("index", "info", tmp_path / "ix").stdout


def test_the_json_of_a_build_counts_everything(medrag: Run, library: Path, tmp_path: Path) -> None:
    report = shape(medrag("index", "build", tmp_path / "ix", "--from", library, "--json"))
    assert report["added"] == 3
    assert report["failed"] == []
    assert report["passages"]["report"] == 2
    assert report["skipped"]["referenced"] == 2
    assert [each["document"] for each in report["unknown"] if each["reason"] == "unknown_type"] == [
        "program.bin"
    ]


def test_strict_exits_1_if_a_file_cannot_be_read(
    medrag: Run, library: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "library"
    shutil.copytree(library, broken)
    (broken / "broken.pdf").write_bytes(b"%PDF-1.7\n" + b"garbage" * 20)
    folder = tmp_path / "ix"
    assert medrag("index", "build", folder, "--from", broken, "--strict").exit_code == 1
    loose = medrag("index", "build", folder, "--from", broken)
    assert loose.exit_code == 0
    assert "broken.pdf" in loose.stderr


def test_a_channel_restricts_the_index(medrag: Run, library: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ix"
    medrag("index", "build", folder, "--from", library, "--channel", "lexical")
    assert list(shape(medrag("index", "info", folder, "--json"))["channels"]) == ["lexical"]


def test_an_index_gets_every_weightless_channel_that_fits(medrag: Run, index: Path) -> None:
    info = shape(medrag("index", "info", index, "--json"))
    assert sorted(info["channels"]) == ["graph", "image", "lexical"]


def test_add_and_remove_change_what_is_found(medrag: Run, library: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ix"
    medrag("index", "build", folder, "--from", library)
    more = tmp_path / "more"
    more.mkdir()
    (more / "asthma.md").write_text("# Asthma\n\nAsthma narrows the airways with wheezing.\n")
    assert medrag("index", "add", folder, more).exit_code == 0
    assert "asthma.md" in medrag("search", folder, "wheezing airways").stdout
    assert medrag("index", "remove", folder, "asthma.md").exit_code == 0
    assert "asthma.md" not in medrag("search", folder, "wheezing airways").stdout
    assert medrag("index", "compact", folder).exit_code == 0
    assert medrag("index", "verify", folder).exit_code == 0


def test_removing_what_is_not_there_names_what_is(medrag: Run, index: Path) -> None:
    result = medrag("index", "remove", index, "note.md")
    assert result.exit_code == 1
    assert "notes.md" in result.stderr


def test_verify_exits_1_on_a_damaged_index(medrag: Run, index: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(index, copy)
    victim = max(
        (copy / "segments").rglob("*"), key=lambda path: path.stat().st_size * path.is_file()
    )
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 0xFF
    victim.write_bytes(bytes(content))
    result = medrag("index", "verify", copy)
    assert result.exit_code == 1
    assert victim.name in result.output


def test_search_prints_the_documented_json(medrag: Run, index: Path) -> None:
    found = shape(medrag("search", index, "costophrenic angle", "--k", 3, "--json"))
    assert found["query"] == "costophrenic angle"
    best = found["hits"][0]
    assert best["rank"] == 1
    assert best["source"]["document"] == "notes.md"
    assert best["parts"]["lexical"]["rank"] == 1


def test_search_finds_a_picture_by_itself(medrag: Run, index: Path, library: Path) -> None:
    found = shape(medrag("search", index, "--image", library / "one.png", "--json"))
    assert found["hits"][0]["images"][0]["path"] == "one.png"


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Two scans of 24 slices, the last of them blank: one grows from left to right, one upwards."""
    folder = tmp_path / "scans"
    folder.mkdir()
    noise = np.random.default_rng(0).normal(0, 1, (16, 16, 24))
    for axis, name in enumerate(("one.nii.gz", "two.nii.gz")):
        values = noise + np.moveaxis(np.arange(16)[:, None, None], 0, axis) * 4
        values[:, :, 22:] = 0
        nibabel.Nifti1Image(values.astype(np.float32), np.eye(4)).to_filename(folder / name)
    return folder


def test_a_scan_is_a_question_and_finds_its_own_slices(
    medrag: Run, scans: Path, tmp_path: Path
) -> None:
    medrag("index", "build", tmp_path / "ix", "--from", scans)
    for name in ("one.nii.gz", "two.nii.gz"):
        asked = ("search", tmp_path / "ix", "--image", scans / name, "--k", 7, "--json")
        hits = shape(medrag(*asked))["hits"]
        assert {hit["source"]["document"] for hit in hits} == {name}


def test_the_guard_knows_the_slices_of_a_scan_that_is_asked_about(
    medrag: Run, scans: Path, tmp_path: Path
) -> None:
    medrag("index", "build", tmp_path / "ix", "--from", scans)
    asked = ("ask", "sample", "What is this?", "--image", scans / "one.nii.gz",
             "--index", tmp_path / "ix", "--json")  # fmt: skip
    excluded = shape(medrag(*asked))["excluded"]
    assert {hit["source"]["document"] for hit in excluded} == {"one.nii.gz"}


def test_a_scan_that_cannot_be_read_is_named(medrag: Run, scans: Path, tmp_path: Path) -> None:
    medrag("index", "build", tmp_path / "ix", "--from", scans)
    torn = tmp_path / "torn.nii.gz"
    torn.write_bytes((scans / "one.nii.gz").read_bytes()[:2000])
    told = medrag("search", tmp_path / "ix", "--image", torn)
    assert told.exit_code == 1
    assert "torn.nii.gz" in told.stderr


def test_a_filter_keeps_other_kinds_out(medrag: Run, index: Path) -> None:
    found = shape(medrag("search", index, "pleural effusion", "--kind", "report", "--json"))
    assert {hit["kind"] for hit in found["hits"]} == {"report"}


def test_ask_prints_an_answer_with_its_sources(medrag: Run, index: Path) -> None:
    question = "What is the earliest sign of a pleural effusion?"
    result = medrag("ask", "sample", question, "--index", index)
    assert result.exit_code == 0, result.output
    assert "costophrenic angle" in result.stdout
    assert "[1]" in result.stdout
    assert "notes.md" in result.stdout


def test_ask_prints_the_documented_json(medrag: Run, index: Path) -> None:
    answer = shape(medrag("ask", "sample", "What causes gout?", "--index", index, "--json"))
    documented = {
        "question", "answer", "abstained", "confidence",
        "excluded", "claims", "citations", "option_scores", "timings",
    }  # fmt: skip
    assert documented <= answer.keys()
    markers = {marker for claim in answer["claims"] for marker in claim["markers"]}
    assert markers <= {citation["marker"] for citation in answer["citations"]}


def test_the_form_of_the_prompt_can_be_named(medrag: Run, index: Path) -> None:
    asked = ("ask", "sample", "What causes gout?", "--index", index, "--json", "--template")
    assert str(shape(medrag(*asked, "longitudinal"))["template"]).startswith("longitudinal/")
    result = medrag(*asked, "raport")
    assert result.exit_code == 1
    assert "did you mean report" in result.stderr


def test_a_question_that_is_interrupted_promises_nothing(
    medrag: Run, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("medrag.config.load_pipeline", interrupted)
    result = medrag("ask", "sample", "What causes gout?", "--index", index)
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")


def test_ask_abstains_where_the_library_says_nothing(medrag: Run, index: Path) -> None:
    answer = shape(
        medrag(
            "ask", "sample", "How is a scaphoid fracture immobilised?", "--index", index, "--json"
        )
    )
    assert answer["abstained"] is True
    assert answer["citations"] == []


def test_the_guard_keeps_the_questions_own_picture_out(
    medrag: Run, index: Path, library: Path
) -> None:
    asked = ("ask", "sample", "Is there a pleural effusion?", "--image", library / "one.png",
             "--index", index, "--json")  # fmt: skip
    guarded = shape(medrag(*asked))
    assert [hit["images"][0]["path"] for hit in guarded["excluded"]] == ["one.png"]
    assert shape(medrag(*asked, "--no-guard"))["excluded"] == []


def test_the_guard_knows_a_patient_by_name(medrag: Run, index: Path) -> None:
    asked = ("ask", "sample", "Is there a pleural effusion?", "--subject", "patient-1",
             "--index", index, "--json")  # fmt: skip
    excluded = shape(medrag(*asked))["excluded"]
    assert [hit["source"]["document"] for hit in excluded] == ["reports.csv"]
    assert "patient-1" not in json.dumps(excluded)


def test_a_multiple_choice_answer_begins_with_its_letter(medrag: Run, index: Path) -> None:
    answer = shape(
        medrag("ask", "sample", "Where does gout often begin?", "--index", index, "--json",
               "--option", "Elbow", "--option", "Big toe", "--option", "Hip")
    )  # fmt: skip
    assert str(answer["answer"]).startswith("B. Big toe")


def test_a_page_is_written_beside_the_answer(medrag: Run, index: Path, tmp_path: Path) -> None:
    page = tmp_path / "answer.html"
    result = medrag("ask", "sample", "What causes gout?", "--index", index, "--html", page)
    assert result.exit_code == 0, result.output
    assert "urate" in page.read_text(encoding="utf-8")


def test_eval_retrieval_prints_the_documented_json(
    medrag: Run, index: Path, tmp_path: Path
) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "queries.jsonl").write_text('{"_id": "q1", "text": "crystals of urate"}\n')
    (tmp_path / "qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tnotes.md\t1\n")
    scores = shape(medrag("eval", "retrieval", index, "--beir", tmp_path, "--json",
                          "--channel", "lexical"))  # fmt: skip
    assert scores["n_queries"] == 1
    assert scores["measures"]["nDCG@10"] == pytest.approx(1.0)
    assert scores["intervals"]["nDCG@10"] == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize(
    "arguments",
    [
        ("ask",),
        ("ask", "sample", ""),
        ("search", "{index}", "x", "--k", "0"),
        ("search", "{index}", "x", "--kind", "reprot"),
        ("search", "{index}", "x", "--channel", "lexcal"),
        ("search", "{index}", "--image", "no-such-picture.png"),
        ("search", "{index}", "x", "--domain", "radiolgy"),
        ("ask", "sample", "x", "--index", "{index}", "--time", "yesterday"),
        ("index", "move", "{index}"),
        ("index", "build", "x", "--from", "a", "--recipe", "b"),
        ("indexx",),
    ],
)
def test_misuse_exits_2(medrag: Run, index: Path, arguments: tuple[str, ...]) -> None:
    result = medrag(*(each.format(index=index) for each in arguments))
    assert result.exit_code == 2
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("ask", "sampel", "x"), "did you mean 'sample'"),
        (("ask", "sample", "x"), "--index NAME"),
        (("ask", "sample", "x", "--index", "nowhere"), "nowhere"),
        (("search", "nowhere", "x"), "medrag index build nowhere --from PATH"),
        (("index", "build", "x", "--from", "no-such-file.pdf"), "no-such-file.pdf does not exist"),
        (("search", "medical_library", "x"), "index build medical_library\n"),
        (("index", "build", "no_such_recipe"), "unknown index recipe"),
        (("index", "build", "no_such_recipe"), "--from PATH"),
        (("index", "build", "x", "--from", ".", "--channel", "text"), "needs a model"),
    ],
)
def test_what_is_wrong_with_the_world_exits_1_in_one_message(
    medrag: Run, arguments: tuple[str, ...], named: str
) -> None:
    result = medrag(*arguments)
    assert result.exit_code == 1
    assert named in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_a_page_that_cannot_be_written_is_named(medrag: Run, index: Path, tmp_path: Path) -> None:
    page = tmp_path / "no-such-folder" / "answer.html"
    result = medrag("ask", "sample", "What causes gout?", "--index", index, "--html", page)
    assert result.exit_code == 1
    assert "no-such-folder" in result.stderr
    assert "Traceback" not in result.output


def test_a_misspelt_kind_is_given_its_nearest_spelling(medrag: Run, index: Path) -> None:
    result = medrag("search", index, "x", "--kind", "reprot")
    assert "did you mean 'report'" in result.stderr.replace("\n", " ")


def test_check_passes_on_the_recipes_of_the_package(medrag: Run) -> None:
    result = shape(medrag("check", "--json"))
    assert result["ok"] is True
    assert {Path(each["file"]).name for each in result["files"]} >= {"sample.yaml"}


def test_check_names_file_place_and_spelling(medrag: Run, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("retrieve: {kind: chanels}\nanswer: {kind: one_pass}\n")
    result = medrag("check", recipe)
    assert result.exit_code == 1
    assert "mine.yaml, retrieve.kind" in result.stderr
    assert "did you mean 'channels'" in result.stderr


def test_doctor_describes_this_machine_without_secrets(
    medrag: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDRAG_KEY", "a secret that nobody may see, ever")
    result = medrag("doctor", "--json")
    found = shape(result)
    assert found["cores"] >= 1
    assert {"faiss", "dicom"} <= {each["name"] for each in found["extras"]}
    assert "a secret" not in result.output


def test_an_index_that_moved_finds_its_pictures_again(
    medrag: Run, library: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    shutil.copytree(library, first)
    medrag("index", "build", tmp_path / "ix", "--from", first)
    first.rename(second)
    assert medrag("index", "move", tmp_path / "ix", f"first={second}").exit_code == 0
    again = medrag("index", "build", tmp_path / "ix", "--from", second)
    assert again.exit_code == 0, again.output


def test_a_citation_holds_the_words_of_the_library(medrag: Run, index: Path) -> None:
    answer = shape(
        medrag("ask", "sample", "What is a pleural effusion?", "--index", index, "--json")
    )
    cited = [" ".join(str(each["text"]).split()) for each in answer["citations"]]
    sentence = "A pleural effusion is fluid between the two layers of the pleura."
    assert sentence in NOTES.replace("\n", " ")
    assert any(sentence in text for text in cited)


def test_the_demo_cites_and_abstains(medrag: Run, tmp_path: Path) -> None:
    shown = shape(medrag("demo", "--out", tmp_path / "demo", "--json"))
    answers = shown["answers"]
    assert sum(bool(each["citations"]) for each in answers) >= 3
    assert any(each["abstained"] for each in answers)
    assert all(each["error"] is None for each in answers)
    assert (tmp_path / "demo" / "answer.html").stat().st_size > 10_000


def test_a_pipeline_can_be_measured(medrag: Run, index: Path, tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "queries.jsonl").write_text('{"_id": "q1", "text": "crystals of urate"}\n')
    (tmp_path / "qrels/dev.tsv").write_text("q1\tnotes.md\t1\n")
    result = medrag("eval", "retrieval", index, "--beir", tmp_path, "--pipeline", "sample",
                    "--measure", "MRR@5")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "1 queries of dev" in result.stdout
    assert "MRR@5" in result.stdout


def test_a_benchmark_that_is_not_there_is_named(medrag: Run, index: Path, tmp_path: Path) -> None:
    result = medrag("eval", "retrieval", index, "--beir", tmp_path)
    assert result.exit_code == 1
    assert "qrels" in result.stderr


def test_keep_all_keeps_what_answers_no_question(medrag: Run, tmp_path: Path) -> None:
    book = Path(__file__).parents[2] / "corpora" / "sample" / "library" / "textbook.pdf"
    usual = shape(medrag("index", "build", tmp_path / "a", "--from", book, "--json"))
    whole = shape(medrag("index", "build", tmp_path / "b", "--from", book, "--keep-all", "--json"))
    reasons = {"contents", "references", "index"}
    assert reasons <= usual["skipped"].keys()
    assert not reasons & whole["skipped"].keys()
    assert whole["passages"]["text"] > usual["passages"]["text"]


def test_ask_keeps_to_what_a_recipe_allows(medrag: Run, index: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "notes.yaml"
    recipe.write_text(
        "allow: {kinds: [text]}\nanswer: {kind: one_pass, generator: {kind: extractive}}\n",
        encoding="utf-8",
    )
    asked = ("ask", recipe, "Is there a pleural effusion?", "--index", index, "--json")
    kinds = {each["kind"] for each in json.loads(medrag(*asked).stdout)["citations"]}
    assert kinds == {"text"}
    said = json.loads(medrag(*asked, "--kind", "report").stdout)["citations"]
    assert {each["kind"] for each in said} <= {"report"}


def test_check_takes_the_name_of_a_recipe(medrag: Run) -> None:
    done = medrag("check", "best")
    assert done.exit_code == 0
    assert "best.yaml" in done.stdout
