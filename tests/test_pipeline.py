from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from medrag.answering import OnePassAnswerer
from medrag.errors import MedragError
from medrag.generation.extractive import ExtractiveGenerator
from medrag.identity import pseudonym
from medrag.images import identified
from medrag.pipeline import Pipeline, guarded, near_duplicates, prepared
from medrag.records import (
    Filter,
    Hit,
    ImageRef,
    Passage,
    Question,
    QuestionRegion,
    Source,
)
from medrag.selection.top_k import TopKSelector

KEY = b"a key of the tests, long enough."


class Shelf:
    """A retriever that gives its passages in order, those that the filter allows."""

    def __init__(self, *passages: Passage) -> None:
        self.passages = passages
        self.asked: list[Filter] = []

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        self.asked += filters
        rankings = []
        for wanted in filters:
            allowed = [one for one in self.passages if _allows(wanted, one)]
            rankings.append([Hit(one, 1 / i, i) for i, one in enumerate(allowed[:k], start=1)])
        return rankings


def _allows(wanted: Filter, passage: Passage) -> bool:
    source = passage.source
    return not (
        (wanted.subjects and source.subject not in wanted.subjects)
        or (wanted.kinds and passage.kind not in wanted.kinds)
        or source.study in wanted.not_studies
        or source.subject in wanted.not_subjects
        or any(image.sha256 in wanted.not_images for image in passage.images)
    )


def report(name: str, *, subject: str | None = None, image: ImageRef | None = None) -> Passage:
    source = Source(
        "c", "d", "0", subject=subject and pseudonym(subject, KEY), study=pseudonym(name, KEY)
    )
    images = (image,) if image else ()
    return Passage(name, "report", f"Report {name} shows a fracture.", source, images)


def pipeline(shelf: Shelf, *, guard: bool = True, allow: Filter = Filter(), k: int = 5) -> Pipeline:  # noqa: B008
    return Pipeline(
        retriever=shelf,
        selector=TopKSelector(k=3),
        answerer=OnePassAnswerer(generator=ExtractiveGenerator()),
        k=k,
        guard=guard,
        allow=allow,
        key=KEY,
    )


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, size=(8, 8, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((128, 128)).save(path)
    return path


def test_an_answer_cites_what_was_retrieved_and_says_how_long_each_stage_took() -> None:
    answer = pipeline(Shelf(report("a"), report("b"))).answer(Question(text="Is there a fracture?"))
    assert answer.text.startswith("Yes [1, 2].")
    assert [citation.passage.id for citation in answer.citations] == ["a", "b"]
    stages = {"prepare", "retrieve", "guard", "select", "answer"}
    assert stages | {"prompt", "generate", "cite", "verify"} == set(answer.timings)
    assert all(seconds >= 0 for seconds in answer.timings.values())


def test_answers_come_in_the_order_of_their_questions() -> None:
    questions = [Question(text="Is there a fracture?", id=str(i)) for i in range(4)]
    answers = pipeline(Shelf(report("a"))).answer_all(questions)
    assert [answer.question.id for answer in answers] == ["0", "1", "2", "3"]
    assert pipeline(Shelf()).answer_all([]) == []


def test_the_guard_keeps_the_same_subject_study_and_picture_out_and_lists_them(
    picture: Path,
) -> None:
    same = identified(ImageRef(path=str(picture)))
    shelf = Shelf(
        report("same subject", subject="MRN 1"),
        report("same study"),
        report("same picture", image=same),
        report("other", subject="MRN 2"),
    )
    question = Question(
        text="Is there a fracture?", images=(picture,), subject="MRN 1", study="same study"
    )
    answer = pipeline(shelf).answer(question)
    assert [hit.passage.id for hit in answer.selection.kept] == ["other"]
    excluded = [hit.passage.id for hit in answer.excluded]
    assert excluded == ["same subject", "same study", "same picture"]


def test_without_the_guard_nothing_is_excluded(picture: Path) -> None:
    shelf = Shelf(report("same subject", subject="MRN 1"))
    question = Question(text="Is there a fracture?", subject="MRN 1")
    answer = pipeline(shelf, guard=False).answer(question)
    assert len(answer.selection.kept) == 1
    assert answer.excluded == ()


def test_a_question_without_picture_study_or_subject_is_retrieved_once() -> None:
    shelf = Shelf(report("a"))
    pipeline(shelf).answer_all([Question(text="Is there a fracture?")] * 3)
    assert len(shelf.asked) == 3


def test_a_subject_may_be_given_raw_or_as_its_pseudonym() -> None:
    raw, hashed = prepared(
        [Question(text="a", subject="MRN 1"), Question(text="a", subject=pseudonym("MRN 1", KEY))],
        KEY,
    )
    assert raw.subject == hashed.subject == pseudonym("MRN 1", KEY)
    assert "MRN 1" not in repr(raw)


def test_a_history_sees_its_own_subject_but_not_the_current_study() -> None:
    mine = pseudonym("MRN 1", KEY)
    shelf = Shelf(report("now", subject="MRN 1"), report("then", subject="MRN 1"))
    question = Question(text="Is there a fracture?", subject="MRN 1", study="now")
    answer = pipeline(shelf).answer(question, allow=Filter(subjects=frozenset({mine})))
    assert [hit.passage.id for hit in answer.selection.kept] == ["then"]


def test_what_a_caller_allows_replaces_what_the_pipeline_allows() -> None:
    shelf = Shelf(report("a"))
    closed = pipeline(shelf, allow=Filter(kinds=frozenset({"text"})))
    question = Question(text="Is there a fracture?")
    assert closed.answer(question).abstained
    assert not closed.answer(question, allow=Filter()).abstained


def test_the_guard_adds_to_a_filter_that_guards_already() -> None:
    question = Question(text="a", study="s")
    wanted = guarded(question, Filter(not_studies=frozenset({"t"}), kinds=frozenset({"text"})))
    assert wanted == Filter(not_studies=frozenset({"s", "t"}), kinds=frozenset({"text"}))


def test_a_part_of_a_picture_guards_against_the_whole(picture: Path) -> None:
    whole = identified(ImageRef(path=str(picture)))
    shelf = Shelf(report("same picture", image=whole), report("other"))
    part = ImageRef(path=str(picture), box=(0, 0, 20, 20))
    answer = pipeline(shelf).answer(Question(text="Is there a fracture?", images=(part,)))
    assert [hit.passage.id for hit in answer.selection.kept] == ["other"]
    assert [hit.passage.id for hit in answer.excluded] == ["same picture"]


def test_a_picture_that_looks_the_same_is_reported_and_kept(picture: Path) -> None:
    smaller = picture.with_name("smaller.png")
    with Image.open(picture) as image:
        image.resize((64, 64)).save(smaller)
    near = identified(ImageRef(path=str(smaller)))
    shelf = Shelf(report("near", image=near), report("none"))
    answer = pipeline(shelf).answer(Question(text="Is there a fracture?", images=(str(picture),)))
    assert [hit.passage.id for hit in answer.near_duplicates] == ["near"]
    assert len(answer.selection.kept) == 2
    assert answer.excluded == ()


def test_pictures_that_look_different_are_no_near_duplicates() -> None:
    question = Question(images=(ImageRef(path="a", sha256="1", phash="00000000000000ff"),))
    for phash, near in (("000000000000ff00", False), ("00000000000000f0", True)):
        hit = Hit(report("x", image=ImageRef(path="b", sha256="2", phash=phash)), 1.0, 1)
        assert bool(near_duplicates(question, [hit])) == near


def test_preparing_decodes_a_shared_picture_and_names_questions_by_content(picture: Path) -> None:
    first, again, other = prepared(
        [
            Question(text="a", images=(picture,)),
            Question(text="a", images=(str(picture),)),
            Question(text="b", images=(picture,)),
        ]
    )
    assert first.id == again.id != other.id
    image = first.images[0]
    assert isinstance(image, ImageRef)
    assert image.sha256
    assert Path(image.path).is_absolute()


def test_a_relative_path_is_read_from_the_working_folder(
    picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(picture.parent)
    image = prepared([Question(text="a", images=("a.png",))])[0].images[0]
    assert isinstance(image, ImageRef)
    assert image.path == str(picture)


def test_a_picture_that_cannot_be_read_names_question_and_file(tmp_path: Path) -> None:
    question = Question(text="Why?", id="q7", images=(tmp_path / "gone.png",))
    with pytest.raises(MedragError, match=r"question 'q7': .*gone\.png"):
        pipeline(Shelf()).answer(question)


def test_an_answer_without_reachable_key_needs_none_unless_a_subject_is_named() -> None:
    assert prepared([Question(text="a")])[0].subject is None


def test_k_must_be_positive() -> None:
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        pipeline(Shelf(), k=0)


def test_a_question_about_a_patient_asks_the_library_whether_the_key_is_its_own() -> None:
    asked: list[bytes] = []
    one = Pipeline(
        retriever=Shelf(report("a")),
        selector=TopKSelector(k=3),
        answerer=OnePassAnswerer(generator=ExtractiveGenerator()),
        key=KEY,
        check_key=asked.append,
    )
    one.answer(Question(text="Is there a fracture?"))
    assert asked == []
    one.answer(Question(text="Is there a fracture?", subject="Q"))
    assert asked == [KEY]


def test_a_blank_patient_is_an_error_that_names_the_question() -> None:
    with pytest.raises(ValueError, match=r"question 'q7'.*blank"):
        pipeline(Shelf()).answer(Question(id="q7", text="a fracture?", subject=" "))


def test_regions_keep_to_their_picture_where_a_scan_stands_before_it(tmp_path: Path) -> None:
    values = np.arange(16 * 16 * 12, dtype=np.float32).reshape(16, 16, 12)
    nibabel.Nifti1Image(values, np.eye(4)).to_filename(tmp_path / "scan.nii")
    Image.linear_gradient("L").save(tmp_path / "picture.png")
    images = (tmp_path / "scan.nii", tmp_path / "picture.png")
    question = Question(text="x", images=images, regions=(QuestionRegion(1, box=(0, 0, 9, 9)),))
    (ready,) = prepared([question], KEY)
    (region,) = ready.regions
    shown = ready.images[region.image]
    assert isinstance(shown, ImageRef)
    assert Path(shown.path).name == "picture.png"
    # 8 slices of the scan, in the order of ingestion.
    slices = [each.slice for each in ready.images if isinstance(each, ImageRef)]
    assert slices == [0, 2, 3, 5, 6, 8, 9, 11, None]
    with pytest.raises(MedragError, match="give the slice as the image"):
        prepared([replace(question, regions=(QuestionRegion(0, box=(0, 0, 9, 9)),))], KEY)


class Leaking(Shelf):
    """A retriever that forgets the filter."""

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        return super().retrieve(questions, k, [Filter()] * len(filters))


def test_what_a_careless_retriever_brings_does_not_pass_the_guard() -> None:
    own, other = report("own", subject="p1"), report("other", subject="p2")
    asked = Question(text="Is there a fracture?", subject="p1", study="now")
    answer = pipeline(Leaking(own, other)).answer(asked)
    assert [(hit.rank, hit.passage.id) for hit in answer.selection.kept] == [(1, "other")]
