"""Picture files, and pictures with captions."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medrag.errors import InputFileError
from medrag.identity import pseudonym
from medrag.images import read_image, resolved
from medrag.ingestion.captions import CaptionsIngestor
from medrag.ingestion.image import ImageIngestor, spread
from medrag.records import Corpus, Passage, Skipped

KEY = b"0123456789abcdef"


def _picture(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 10, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, "PNG")
    return path


def _corpus(root: Path) -> Corpus:
    return Corpus("c", root, domain="pathology", licence="CC0")


def _read(ingestor: ImageIngestor | CaptionsIngestor, path: Path) -> list[Passage | Skipped]:
    return list(ingestor.passages(path))


def _passages(found: list[Passage | Skipped]) -> list[Passage]:
    return [each for each in found if isinstance(each, Passage)]


def _skipped(found: list[Passage | Skipped]) -> list[Skipped]:
    return [each for each in found if isinstance(each, Skipped)]


# Files


def test_a_picture_is_a_passage_without_text_and_with_its_hashes(tmp_path: Path) -> None:
    path = _picture(tmp_path / "DOE_JOHN" / "scan.png")
    [passage] = _passages(_read(ImageIngestor(corpus=_corpus(tmp_path)), path))
    assert (passage.kind, passage.text, dict(passage.fields)) == ("image", "", {})
    assert passage.source.document == passage.images[0].path == "DOE_JOHN/scan.png"
    assert passage.source.domain == "pathology"
    assert len(passage.images[0].sha256 or "") == 64
    assert len(passage.images[0].phash or "") == 16
    assert read_image(resolved(passage, tmp_path).images[0]).shape == (8, 10, 3)


def test_the_same_file_gives_the_same_passage(tmp_path: Path) -> None:
    path = _picture(tmp_path / "a.png")
    ingestor = ImageIngestor(corpus=_corpus(tmp_path))
    assert _read(ingestor, path) == _read(ingestor, path)


def test_folders_are_searched_only_when_asked(tmp_path: Path) -> None:
    path = _picture(tmp_path / "lung" / "small_cell-carcinoma" / "1.png")
    ingestor = ImageIngestor(corpus=_corpus(tmp_path), folder_titles=True)
    [passage] = _passages(_read(ingestor, path))
    assert passage.fields["title"] == "lung small cell carcinoma"


def test_a_picture_with_the_name_of_a_pdf_is_read_and_named(tmp_path: Path) -> None:
    path = _picture(tmp_path / "scan.pdf")
    found = _read(ImageIngestor(corpus=_corpus(tmp_path)), path)
    [note] = _skipped(found)
    assert (note.reason, note.failed) == ("misnamed", False)
    assert note.detail == "named .pdf, but it is a PNG picture"
    assert len(_passages(found)) == 1


def test_a_name_that_promises_nothing_is_no_contradiction(tmp_path: Path) -> None:
    for name in ("scan", "scan.0012", "scan.PNG"):
        path = _picture(tmp_path / name)
        assert _skipped(_read(ImageIngestor(corpus=_corpus(tmp_path)), path)) == []


def test_the_frames_of_a_tiff_are_passages_up_to_a_limit(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), (10 * i, 0, 0)) for i in range(5)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    found = _read(ImageIngestor(corpus=_corpus(tmp_path), max_frames=2), tmp_path / "a.tif")
    assert [passage.images[0].frame for passage in _passages(found)] == [1, 3]
    assert len({passage.id for passage in _passages(found)}) == 2
    assert [note.detail for note in _skipped(found)] == ["3 of 5 frames"]


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"not a picture"])
def test_a_broken_picture_fails_as_a_whole(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputFileError, match=r"a\.png"):
        _read(ImageIngestor(corpus=_corpus(tmp_path)), tmp_path / "a.png")


def test_chosen_indices_are_spread_and_all_of_few() -> None:
    assert spread(3, 8) == [0, 1, 2]
    assert spread(30, 3) == [5, 15, 25]
    assert spread(9, 2) == [2, 6]  # middles of 0..4.5 and 4.5..9
    assert spread(1, 1) == [0]


# Captions


def _lines(path: Path, *records: object) -> Path:
    lines = [each if isinstance(each, str) else json.dumps(each) for each in records]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _captions(root: Path, **options: object) -> CaptionsIngestor:
    return CaptionsIngestor(corpus=_corpus(root), key=KEY, **options)  # type: ignore[arg-type]


def test_a_caption_brings_its_picture_and_what_the_line_says(tmp_path: Path) -> None:
    _picture(tmp_path / "set" / "images" / "a.png")
    file = _lines(
        tmp_path / "set" / "captions.jsonl",
        {
            "image": "a.png", "caption": "A smear.", "title": "Blood", "domain": "haematology",
            "license": "CC BY", "patient_id": "17", "study": "s1", "date": "January 25, 2020",
            "view": "100x", "modality": "microscopy", "id": "f1",
        },
    )  # fmt: skip
    [passage] = _passages(_read(_captions(tmp_path), file))
    assert (passage.kind, passage.text) == ("image", "A smear.")
    assert passage.images[0].path == "set/images/a.png"
    source = passage.source
    assert source.document == "set/captions.jsonl"
    assert (source.domain, source.licence, source.time) == ("haematology", "CC BY", "2020-01-25")
    assert (source.subject, source.study) == (pseudonym("17", KEY), pseudonym("s1", KEY))
    assert passage.fields["title"] == "Blood"
    assert passage.fields["doc_id"] == "f1"


def test_no_identifier_of_a_line_is_stored(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png")
    file = _lines(tmp_path / "c.jsonl", {"image": "a.png", "caption": "x", "patient_id": "MRN-42"})
    assert "MRN-42" not in repr(_read(_captions(tmp_path), file))


def test_a_table_is_read_like_lines(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png")
    (tmp_path / "c.csv").write_text('File Name,Caption\na.png,"One, two"\n', encoding="utf-8")
    [passage] = _passages(_read(_captions(tmp_path), tmp_path / "c.csv"))
    assert passage.text == "One, two"


def test_columns_of_other_names_are_given(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png")
    file = _lines(tmp_path / "c.jsonl", {"bild": "a.png", "text": "Ein Bild."})
    with pytest.raises(InputFileError, match=r"columns: \{image: NAME"):
        _read(_captions(tmp_path), file)
    ingestor = _captions(tmp_path, columns={"image": "bild", "caption": "text"})
    assert _passages(_read(ingestor, file))[0].text == "Ein Bild."


def test_an_unknown_role_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown role 'picture'"):
        _captions(tmp_path, columns={"picture": "bild"})


def test_a_box_is_the_part_that_is_meant(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png")
    file = _lines(
        tmp_path / "c.jsonl",
        {"image": "a.png", "caption": "whole"},
        {"image": "a.png", "caption": "part", "box": [1, 2, 5, 6]},
        {"image": "a.png", "caption": "part", "bbox": None, "box": [50, 50, 60, 60]},
        {"image": "a.png", "caption": "part", "box": "left"},
    )
    found = _read(_captions(tmp_path), file)
    whole, part = _passages(found)
    assert part.images[0].box == part.source.regions[0].box == (1.0, 2.0, 5.0, 6.0)
    assert part.images[0].sha256 != whole.images[0].sha256
    assert read_image(resolved(part, tmp_path).images[0]).shape == (4, 4, 3)
    outside, odd = _skipped(found)
    assert "line 3" in outside.detail
    assert "outside" in outside.detail
    assert "expected [x0, y0, x1, y1]" in odd.detail


def test_bad_lines_are_numbered_and_the_rest_is_read(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    file = _lines(
        tmp_path / "c.jsonl",
        {"image": "a.png", "caption": "good"},
        '{"image": "a.png", "capt',
        {"caption": "no picture"},
        {"image": "absent.png", "caption": "x"},
        {"image": "../../etc/passwd.png", "caption": "x"},
        {"image": "https://example.org/a.png", "caption": "x"},
        {"image": "broken.png", "caption": "x"},
        {"image": "a.png", "caption": "good too"},
    )
    found = _read(_captions(tmp_path), file)
    assert [passage.text for passage in _passages(found)] == ["good", "good too"]
    notes = _skipped(found)
    assert all(note.failed for note in notes)
    assert [note.detail.split(":")[0] for note in notes] == [f"line {n}" for n in range(2, 8)]
    assert [note.reason for note in notes] == [
        "bad_line", "bad_line", "missing_image", "unsafe_path", "bad_line", "unreadable",
    ]  # fmt: skip


def test_a_name_that_means_two_files_is_refused(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png")
    _picture(tmp_path / "images" / "a.png", seed=1)
    file = _lines(
        tmp_path / "c.jsonl",
        {"image": "a.png", "caption": "which?"},
        {"image": "images/a.png", "caption": "this"},
    )
    found = _read(_captions(tmp_path), file)
    assert [passage.text for passage in _passages(found)] == ["this"]
    assert "lies in ./ and in images/" in _skipped(found)[0].detail


def test_a_picture_needs_no_caption(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png")
    file = _lines(tmp_path / "c.jsonl", {"image": "a.png", "title": "Skin"})
    [passage] = _passages(_read(_captions(tmp_path), file))
    assert (passage.text, passage.fields["title"]) == ("", "Skin")


@pytest.mark.realdata
def test_all_pictures_of_the_real_caption_files_are_found(data: Path) -> None:
    book = data / "textbook" / "anatomy_physiology"
    for root, name, n in ((data, "image_captions.jsonl", 2), (book, "figures.jsonl", 125)):
        found = list(CaptionsIngestor(corpus=Corpus("c", root), key=KEY).passages(root / name))
        assert _skipped(found) == []
        assert len({passage.id for passage in _passages(found)}) == n
        assert all(passage.text or passage.fields.get("title") for passage in _passages(found))
