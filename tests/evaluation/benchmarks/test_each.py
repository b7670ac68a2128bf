"""Every shape of benchmark, read from a few made-up rows in its official files."""

from pathlib import Path
from typing import NamedTuple

import pytest

from medrag.evaluation.benchmarks import Benchmark, known_benchmarks, load_benchmark
from medrag.records import ImageRef, Turn
from tests.evaluation.benchmarks.made import FIXTURES, made


class Row(NamedTuple):
    """What one row must become."""

    kind: str
    references: tuple[str, ...]
    cluster: str | None


P1 = "10000001"
EXPECTED: dict[tuple[str, str], list[Row]] = {
    ("bccd_qa", "test"): [Row("number", ("2",), "b.jpg"), Row("yes_no", ("no",), "b.jpg")],
    ("beir", "test"): [Row("text", (), None), Row("text", (), None)],
    ("bimed_mbench", "test"): [Row("text", ("A scan of the chest.",), "1_F1.jpg")],
    ("bimed_mbench", "arabic"): [Row("text", (), "1_F1.jpg")],
    ("gemex", "test"): [
        Row("yes_no", ("Yes",), P1),
        Row("choices", ("effusion", "mass"), P1),
        Row("text", ("an effusion on the left",), P1),
        Row("choice", ("left",), P1),
    ],
    ("iu_xray", "test"): [Row("report", ("a large effusion is seen .",), "CXR2")],
    ("iu_xray", "train"): [Row("report", ("the lungs are clear .",), "CXR1")],
    ("med_mat", "test"): [
        Row("choice", ("COVID-19",), "covid/1.png"),
        Row("choice", ("normal",), "covid/2.png"),
    ],
    ("medframeqa", "test"): [Row("choice", ("colour",), "v1"), Row("choice", ("axial",), "v1")],
    ("mediconfusion", "test"): [
        Row("choice", ("a clot",), "10001"),
        Row("choice", ("no clot",), "10001"),
        Row("choice", ("no clot",), "10002"),
        Row("choice", ("a clot",), "10002"),
    ],
    ("medmultipoints", "test"): [
        Row("number", ("2",), "MedMultiPoints-images/a.png"),
        Row("boxes", (), "MedMultiPoints-images/a.png"),
        Row("boxes", (), "MedMultiPoints-images/a.png"),
        Row("boxes", (), "MedMultiPoints-images/b.png"),
        Row("number", ("1",), "MedMultiPoints-images/b.png"),
    ],
    ("medquad", "test"): [
        Row("text", ("A made disease.",), "Made disease"),
        Row("text", (), "Made disease"),
    ],
    ("medsg_bench", "test"): [Row("boxes", (), "Task1/a.png"), Row("boxes", (), "Task1/a.png")],
    ("medvision", "test"): [
        Row("boxes", (), "Datasets/MadeCT/Images/a.nii.gz"),
        Row("number", ("23.5",), "Datasets/MadeCT/Images/a.nii.gz"),
        Row("number", ("31.5",), "Datasets/MadeCT/Images/a.nii.gz"),
    ],
    ("medxpertqa_mm", "test"): [
        Row("choice", ("a tumour",), "MM-0-a.jpeg"),
        Row("choice", ("aorta",), "MM-1-a.jpeg"),
    ],
    ("mimic_cxr_reports", "test"): [Row("report", ("no effusion .",), "10000001")],
    ("mimic_nle", "test"): [
        Row("text", ("Blunted angles suggest fluid.",), "10000001"),
        Row("text", ("Nothing is seen.",), "10000001"),
    ],
    ("mirage", "test"): [
        Row("choice", ("ulna",), None),
        Row("choice", ("no",), None),
        Row("choice", ("yes",), None),
    ],
    ("mm_retinal_reason", "complex"): [Row("text", ("Retinal detachment",), "PMC1")],
    ("mmcqs", "test"): [
        Row(
            "report",
            ("What is a painless lump on the hand?",),
            "Multimodal_images/hand lump/Image_1.jpg",
        ),
        Row("report", ("What causes the rash?",), "Multimodal_images/skin rash/Image_40.jpg"),
    ],
    ("mmed_rag_harvard", "test"): [
        Row("yes_no", ("yes",), "slo_1.jpg"),
        Row("yes_no", ("no",), "slo_1.jpg"),
        Row("yes_no", ("yes",), "slo_2.jpg"),
    ],
    ("mmed_rag_iu_report", "test"): [Row("report", ("The heart is normal.",), "CXR1")],
    ("mmed_rag_mimic", "test"): [Row("yes_no", ("no",), P1)],
    ("mmlu", "test"): [
        Row("choice", ("femur",), None),
        Row("choice", ("kidney",), None),
        Row("choice", ("4",), None),
    ],
    ("mmxu", "test"): [
        Row("choice", ("worse",), P1),
        Row("choice", ("no change",), P1),
        Row("choice", ("better",), P1),
    ],
    ("ms_cxr", "test"): [Row("boxes", (), P1), Row("boxes", (), P1)],
    ("omnimedvqa", "test"): [
        Row("choice", ("Glaucoma",), "Images/MadeSet/a.png"),
        Row("choice", ("Drusen",), "Images/MadeSet/b.png"),
        Row("choice", ("CT",), "Images/OtherSet/c.png"),
    ],
    ("openstax_ap", "test"): [Row("choice", ("that",), "m1")],
    ("openstax_ap", "free_response"): [Row("text", ("Because.",), "m1")],
    ("path_vqa", "test"): [
        Row("yes_no", ("yes",), "fig_1"),
        Row("text", ("necrosis",), "fig_1"),
        Row("text", ("in the gland",), "fig_2"),
    ],
    ("pmc_vqa", "test"): [Row("choice", ("CT",), "PMC1_Fig1.jpg")],
    ("pmc_vqa", "test_2"): [
        Row("choice", ("MR",), "PMC1_Fig1.jpg"),
        Row("choice", ("axial",), "PMC1_Fig1.jpg"),
        Row("choice", ("a cyst, large",), "PMC2_Fig1.jpg"),
    ],
    ("pubmedqa", "all"): [Row("choice", ("maybe",), None), Row("choice", ("yes",), None)],
    ("qa", "test"): [
        Row("choice", ("two",), None),
        Row("choice", ("blue",), None),
        Row("text", ("a cyst", "cyst"), "x.png"),
        Row("number", ("4",), None),
    ],
    ("r_rad", "test"): [
        Row("choice", ("no",), "made1.jpg"),
        Row("choice", ("axial",), "made2.jpg"),
    ],
    ("r_rad", "open_test"): [Row("text", ("a stone",), "made1.jpg")],
    ("rad_restruct", "test"): [
        Row("choice", ("yes",), "7"),
        Row("choice", ("yes",), "7"),
        Row("choices", ("left lobe", "right lobe"), "7"),
        Row("choices", ("left lobe", "right lobe"), "7"),
    ],
    ("slake", "test"): [
        Row("yes_no", ("Yes",), "xmlab1/source.jpg"),
        Row("text", ("Kidney",), "xmlab2/source.jpg"),
    ],
    ("temmed_bench", "test"): [
        Row("yes_no", ("No",), "patient00001"),
        Row("yes_no", ("No",), "patient00002"),
    ],
    ("temmed_bench", "report"): [
        Row("report", (f"The effusion of 0000{n} has grown.",), f"patient0000{n}")
        for n in (1, 2, 3)
    ],
    ("temmed_bench", "selection"): [
        Row(
            "choice",
            ("pair B (images 3 and 4)",),
            "patient00002",
        )
    ],
    ("three_d_reason_knee", "test"): [
        Row("number", ("2",), "9000001"),
        Row("yes_no", ("no",), "9000001"),
    ],
    ("vqa_rad", "test"): [
        Row("yes_no", ("No",), "made1.jpg"),
        Row("text", ("3",), "made2.jpg"),
        Row("text", ("left",), "made2.jpg"),
    ],
    ("vqa_rad", "train"): [
        Row("yes_no", ("Yes",), "made1.jpg"),
        Row("text", ("trachea",), "made2.jpg"),
    ],
}


def loaded(name: str, into: Path, split: str = "test", *, card: str | None = None) -> Benchmark:
    folder = made(name, into)
    return load_benchmark(
        card or name, folder, split=split, subset=True, extracted=into / "extracted"
    )


@pytest.mark.parametrize(("name", "split"), EXPECTED)
def test_the_rows_of_a_benchmark_become_items(name: str, split: str, tmp_path: Path) -> None:
    items = loaded(name, tmp_path, split).items
    rows = [Row(item.kind, item.references, item.cluster) for item in items]
    assert rows == EXPECTED[name, split]
    assert {item.split for item in items} == {split}


@pytest.mark.parametrize(("name", "split"), EXPECTED)
def test_every_picture_of_an_item_is_an_absolute_path_that_is_there(
    name: str, split: str, tmp_path: Path
) -> None:
    for item in loaded(name, tmp_path, split).items:
        for image in item.question.images:
            assert isinstance(image, ImageRef)
            assert Path(image.path).is_absolute()
            assert Path(image.path).is_file()


def test_at_least_twenty_four_benchmarks_have_made_up_rows() -> None:
    folders = {path.name for path in FIXTURES.iterdir()} - {"medquad_xml"}
    assert folders <= set(known_benchmarks())
    assert len(folders) >= 24


def test_vqa_rad_mends_stray_blanks_of_its_answer_type(tmp_path: Path) -> None:
    items = loaded("vqa_rad", tmp_path).items
    # The rows say "CLOSED ", "OPEN" and "CLOSED"; the last one's answer is no yes or no.
    assert [(item.closed, item.inferred) for item in items] == [
        (True, False),
        (False, False),
        (True, False),
    ]


def test_path_vqa_says_that_closed_was_inferred(tmp_path: Path) -> None:
    items = loaded("path_vqa", tmp_path).items
    assert [(item.closed, item.inferred) for item in items] == [
        (True, True),
        (False, True),
        (False, True),
    ]


def test_slake_is_loaded_by_language(tmp_path: Path) -> None:
    folder = made("slake", tmp_path)
    languages = {
        name: [item.language for item in load_benchmark(name, folder, subset=True).items]
        for name in ("slake", "slake_zh", "slake_all")
    }
    assert languages == {"slake": ["en", "en"], "slake_zh": ["zh"], "slake_all": ["en", "zh", "en"]}


def test_slake_keeps_the_triple_of_the_graph(tmp_path: Path) -> None:
    item = loaded("slake", tmp_path).items[1]
    assert item.fields["base_type"] == "kvqa"
    assert item.fields["triple"] == ["vhead", "_", "_"]


def test_medxpertqa_does_not_repeat_its_options_in_the_question(tmp_path: Path) -> None:
    first = loaded("medxpertqa_mm", tmp_path).items[0].question
    assert first.text == "A man coughs. What is the cause?"
    assert first.options[1] == "a tumour"
    assert len(first.images) == 2


def test_an_option_that_is_missing_in_the_middle_keeps_the_others(tmp_path: Path) -> None:
    last = loaded("omnimedvqa", tmp_path).items[2]
    assert last.question.options == ("CT", "MR", "US")


def test_ids_that_repeat_between_files_are_told_apart_by_the_file(tmp_path: Path) -> None:
    ids = [item.id for item in loaded("omnimedvqa", tmp_path).items]
    assert ids == ["MadeSet:MadeSet_0000", "MadeSet:MadeSet_0001", "OtherSet:MadeSet_0000"]


def test_pmc_vqa_cuts_the_letters_before_its_options(tmp_path: Path) -> None:
    item = loaded("pmc_vqa", tmp_path, "test_2").items[0]
    assert item.question.options == ("CT", "MR", "US", "PET")


def test_each_image_of_a_confusing_pair_is_asked_alone(tmp_path: Path) -> None:
    items = loaded("mediconfusion", tmp_path).items
    assert [item.fields["pair"] for item in items] == ["10001", "10001", "10002", "10002"]
    assert all(len(item.question.images) == 1 for item in items)
    # The picture that has no local copy is taken from the ROCO data set.
    names = [Path(image.path).name for item in items for image in item.question.images]
    assert names == ["20001.jpg", "20002.jpg", "20001.jpg", "ROCO_20003.jpg"]


def test_mmxu_shows_the_earlier_image_first_and_names_patient_and_study(tmp_path: Path) -> None:
    item = loaded("mmxu", tmp_path).items[0]
    assert [Path(image.path).stem for image in item.question.images] == ["prior", "cur"]
    assert item.fields["image_roles"] == ["prior", "current"]
    assert (item.question.subject, item.question.study) == ("10000001", "50000002")


def test_temmed_bench_reads_the_png_of_a_jpeg_that_is_named(tmp_path: Path) -> None:
    item = loaded("temmed_bench", tmp_path).items[0]
    assert [Path(image.path).suffix for image in item.question.images] == [".png", ".png"]
    assert item.question.text == "Is there a new tube?"


def test_a_selection_shows_every_pair_and_names_its_two_images(tmp_path: Path) -> None:
    question = loaded("temmed_bench", tmp_path, "selection").items[0].question
    assert len(question.images) == 6
    assert question.options[2] == "pair C (images 5 and 6)"


def test_mmed_rag_reads_a_sentence_as_yes_or_no_and_keeps_it(tmp_path: Path) -> None:
    items = loaded("mmed_rag_harvard", tmp_path).items
    assert items[1].fields["answer_text"] == "The note does not say so."
    # Only the first sentence counts: "Large, which was known. Not new." holds no negation there.
    assert items[2].references == ("yes",)
    assert items[0].question.text == "Is the disc pale?"


def test_rad_restruct_gives_the_earlier_questions_of_a_branch(tmp_path: Path) -> None:
    items = loaded("rad_restruct", tmp_path).items
    assert items[3].id == "CXR7_IM-2_7_1"
    assert items[3].question.history == (Turn("Are there signs in the lung?", "yes"),)
    assert items[0].question.history == ()


def test_boxes_of_one_phrase_are_one_item_in_corner_form(tmp_path: Path) -> None:
    first = loaded("ms_cxr", tmp_path).items[0]
    # x 10, y 20, width 100, height 50 and x 30, y 40, width 5, height 6.
    assert [region.box for region in first.regions] == [(10, 20, 110, 70), (30, 40, 35, 46)]


def test_medmultipoints_gives_counts_boxes_and_points(tmp_path: Path) -> None:
    items = loaded("medmultipoints", tmp_path).items
    assert [region.box for region in items[1].regions] == [(1, 2, 30, 40), (50, 60, 70, 80)]
    assert [region.point for region in items[2].regions] == [(15.5, 21.0)]
    # Nothing to point to is the right answer, not a broken row.
    assert items[3].regions == ()
    assert items[4].regions[0].box == (5, 6, 7, 8)


def test_medvision_asks_about_one_slice_of_a_volume(tmp_path: Path) -> None:
    items = loaded("medvision", tmp_path).items
    image = items[0].question.images[0]
    assert isinstance(image, ImageRef)
    assert (image.axis, image.slice) == (2, 5)
    assert items[1].fields["numbers"] == [23.5, 12.0]
    assert items[1].fields["unit"] == "mm"


def test_options_at_the_end_of_a_question_are_cut_out(tmp_path: Path) -> None:
    question = loaded("mm_retinal_reason", tmp_path).items[1].question
    assert question.text == "What is the grade?"
    assert question.options == ("none", "mild, early", "severe")


def test_mimic_nle_takes_all_images_of_a_study_and_names_the_findings(tmp_path: Path) -> None:
    question = loaded("mimic_nle", tmp_path).items[0].question
    assert len(question.images) == 2
    assert question.text.endswith("uncertain atelectasis, positive pleural effusion?")


def test_mixed_hindi_and_english_pass_untouched(tmp_path: Path) -> None:
    item = loaded("mmcqs", tmp_path).items[0]
    assert item.question.text.endswith('"dard" nahi. मदद कीजिए')
    assert item.language == "hi"


def test_arabic_questions_have_their_language(tmp_path: Path) -> None:
    item = loaded("bimed_mbench", tmp_path, "arabic").items[0]
    assert item.language == "ar"
    assert item.question.text == "ماذا تظهر الصورة؟"


def test_beir_documents_above_grade_zero_are_gold(tmp_path: Path) -> None:
    benchmark = loaded("beir", tmp_path)
    assert [item.gold_passages for item in benchmark.items] == [("d1",), ("d3",)]
    assert set(benchmark.files) == {"qrels/test.tsv", "queries.jsonl"}


def test_the_official_xml_of_medquad_is_read(tmp_path: Path) -> None:
    items = loaded("medquad_xml", tmp_path, card="medquad").items
    assert [item.references for item in items] == [("A made disease.",), ()]
    assert items[0].id == "1_Made_QA:0000001:0000001-1"


def test_mmlu_reads_tables_without_a_header_and_answers_that_are_numbers(tmp_path: Path) -> None:
    benchmark = loaded("mmlu", tmp_path)
    assert [item.fields["topic"] for item in benchmark.items] == ["anatomy"] * 2 + [
        "medical_genetics"
    ]
    assert benchmark.items[0].question.text == 'Which is "longest",\nof these?'
    one = load_benchmark("mmlu_anatomy", tmp_path / "mmlu", subset=True)
    assert len(one.items) == 2


def test_gmai_writes_each_picture_once_and_knows_several_answers(tmp_path: Path) -> None:
    items = loaded("gmai_mmbench", tmp_path, "validation").items
    # The number of right options is no part of a question's form.
    assert [item.kind for item in items] == ["choices", "choices", "choices"]
    assert items[0].references == ("ulcer",)
    assert items[1].references == ("polyp", "fold", "clip")
    assert items[0].question.images == items[2].question.images
    assert len(list((tmp_path / "extracted").rglob("*.png"))) == 2


def test_answers_that_are_held_back_leave_items_without_reference(tmp_path: Path) -> None:
    items = loaded("gmai_mmbench", tmp_path).items
    assert [item.references for item in items] == [()]


def test_gold_passages_come_from_any_of_the_usual_columns(tmp_path: Path) -> None:
    items = loaded("qa", tmp_path).items
    assert [item.gold_passages for item in items] == [("doc1",), ("doc2",), (), ()]


def test_a_volume_is_given_whole_with_its_box_of_six_numbers(tmp_path: Path) -> None:
    item = loaded("three_d_reason_knee", tmp_path).items[0]
    assert item.fields["box_3d"] == [1, 2, 3, 40, 50, 60]
    assert item.question.subject == "9000001"
