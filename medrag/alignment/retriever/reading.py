"""Pairs from files and from the passages of an index."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from medrag.alignment.pairs.files import is_file
from medrag.alignment.retriever.pair import RetrieverPair, Side, Triple
from medrag.encoding.text.texts import joined, passage_text
from medrag.errors import InputFileError
from medrag.identity import pseudonym
from medrag.records import PICTURED, ImageRef, Passage
from medrag.retrieval.asking.showing import found_images

# Columns of published training files that hold a picture, and a text; the first that a row has
# counts. `gpt4_summary` stands before `report`: where a file has both, the retrievers were trained
# on the summary.
IMAGES = ("image", "image_path")
TEXTS = ("text", "gpt4_summary", "report", "caption")


def read_retriever_pairs(
    path: Path,
    *,
    images: Path | None = None,
    image: str | None = None,
    text: str | None = None,
    key: bytes | None = None,
) -> list[RetrieverPair]:
    """Read a file of JSON lines, or one JSON list, of pairs.

    A row has `query` and `passage`, both texts, or a picture and a text under the names that the
    training files of MMed-RAG and RULE have: `image` or `image_path` (a path, or a list of which
    the first counts), and `text`, `gpt4_summary`, `report` or `caption`. A page of a PDF is
    {"path": ..., "page": 3}. Further: `id`, `subject` or `subject_id`, `study` or `study_id`,
    `group`, `domain`, `labels` (a list), `triples` (a list of three texts each).

    Args:
        images: folder that paths are relative to; None for that of the file.
        image, text: other names of the columns.
        key: hashes subjects and studies as those of passages are; None leaves them as they are.

    Raises:
        InputFileError: naming the file and the row.
    """
    root = images or path.parent
    columns = ((image,) if image else IMAGES), ((text,) if text else TEXTS)
    pairs = []
    for number, row in enumerate(_rows(path), start=1):
        try:
            pairs.append(_pair(row, number, root, columns, key))
        except (TypeError, ValueError) as error:
            raise InputFileError(path, str(error), place=f"row {number}") from error
    names = [pair.id for pair in pairs]
    if twice := [name for name, n in Counter(names).items() if n > 1]:
        raise InputFileError(path, f"the id {twice[0]!r} stands twice; give each row its own")
    return pairs


def pairs_of_passages(passages: Iterable[Passage], *, rows: object = None) -> list[RetrieverPair]:
    """Pair the pictures of passages with their texts, under their titles.

    Passages without both are left out, and so are pages and tables, which their words are not
    about. Figures of one chapter are one group, by the number before the first point.

    Args:
        rows: the passages of the index, by which pictures are found; None where paths are whole.
    """
    pairs = []
    for passage in passages:
        if passage.kind not in PICTURED or not passage.text.strip():
            continue
        source = passage.source
        for place, image in enumerate(found_images(passage, rows)):
            pairs.append(
                RetrieverPair(
                    f"{passage.id}#{place}",
                    image,
                    joined(*passage_text(passage)),
                    subject=source.subject,
                    study=source.study,
                    group=_group(passage),
                    domain=source.domain,
                )
            )
    return pairs


def _group(passage: Passage) -> str | None:
    if passage.kind != "figure":
        return None
    chapter = str(passage.fields.get("number") or "").partition(".")[0]
    return f"{passage.source.corpus}/{passage.source.document}/{chapter}"


def _rows(path: Path) -> list[Any]:
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputFileError(path, f"cannot be read ({error})") from error
    if content.lstrip().startswith("["):
        return list(_json(path, content, None))
    # No other ends of lines: some are legal inside a text of JSON.
    lines = content.split("\n")
    return [_json(path, line, f"line {n}") for n, line in enumerate(lines, 1) if line.strip()]


def _json(path: Path, content: str, place: str | None) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputFileError(path, f"is not JSON ({error})", place=place) from error


def _pair(
    row: Any,
    number: int,
    root: Path,
    columns: tuple[tuple[str, ...], tuple[str, ...]],
    key: bytes | None,
) -> RetrieverPair:
    if not isinstance(row, Mapping):
        raise ValueError(f"expected an object, found {type(row).__name__}")
    query: Side
    if "query" in row and "passage" in row:
        query = _side(row["query"], "query", root)
        passage = _side(row["passage"], "passage", root)
    else:
        picture, words = (_column(row, names) for names in columns)
        query, passage = _image(row[picture], picture, root), _words(row[words], words)
    return RetrieverPair(
        str(row.get("id", number)),
        query,
        passage,
        subject=_hashed(row, ("subject", "subject_id"), key),
        study=_hashed(row, ("study", "study_id"), key),
        group=_named(row, "group"),
        domain=_named(row, "domain"),
        labels=None if row.get("labels") is None else frozenset(map(str, _list(row, "labels"))),
        triples=frozenset(Triple(*map(str, _list_of(each))) for each in _list(row, "triples")),
    )


def _column(row: Mapping[str, Any], names: tuple[str, ...]) -> str:
    found = next((name for name in names if row.get(name)), None)
    if found is None:
        have = ", ".join(map(str, row))
        raise ValueError(f"has no {' or '.join(names)}; its columns are {have}")
    return found


def _side(value: Any, name: str, root: Path) -> Side:
    return _image(value, name, root) if isinstance(value, Mapping) else _words(value, name)


def _words(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} must be a text with words, got {value!r}")
    return value.strip()


def _image(value: Any, name: str, root: Path) -> ImageRef:
    if isinstance(value, list) and value:
        value = value[0]
    place = value if isinstance(value, Mapping) else {"path": value}
    path, page = place.get("path"), place.get("page")
    if not isinstance(path, str) or not path or not (page is None or isinstance(page, int)):
        raise ValueError(f"{name} must be a path, or a path and a page, got {value!r}")
    ref = ImageRef(str(root / path), page=page)
    if not is_file(Path(ref.path)):
        raise ValueError(f"the picture {ref.path} does not exist; say where pictures lie (images)")
    return ref


def _hashed(row: Mapping[str, Any], names: tuple[str, ...], key: bytes | None) -> str | None:
    value = next((str(row[name]) for name in names if row.get(name) not in (None, "")), None)
    return value if value is None or key is None else pseudonym(value, key)


def _named(row: Mapping[str, Any], name: str) -> str | None:
    return None if row.get(name) in (None, "") else str(row[name])


def _list(row: Mapping[str, Any], name: str) -> list[Any]:
    value = row.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"{name} must be a list, got {value!r}")
    return value


def _list_of(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) != len(Triple._fields):
        raise ValueError(f"a triple must be a list of three texts, got {value!r}")
    return value
