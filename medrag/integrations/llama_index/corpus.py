"""Nodes and documents of LlamaIndex as a corpus that an index of medrag is built from."""

import base64
import binascii
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from medrag.errors import InputFileError
from medrag.extras import require
from medrag.images.formats import raster_name
from medrag.indexing.durable import write_atomically
from medrag.ingestion.llama_index import NODES
from medrag.integrations.llama_index.core import core
from medrag.integrations.llama_index.nodes import FIELDS
from medrag.integrations.llama_index.places import check_pages, labels_count, regions_of
from medrag.records import KINDS

_CARD = "corpus.yaml"
_IMAGES = "images"
_SUFFIXES = {
    "PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "GIF": ".gif", "TIFF": ".tif", "BMP": ".bmp",
}  # fmt: skip
_OURS = re.compile(r"[0-9a-f]{32}\.[a-z]{3,4}")
_DOCUMENT = ("document", "file_name", "file_path", "source")
# What medrag reads of a patient, to keep the question's own out; hashed when an index is built.
_PATIENT = {"subject": ("subject", "subject_id"), "study": ("study", "study_id")}
_UNNAMED = "nodes"


def write_corpus(
    nodes: Iterable[Any],
    folder: str | Path,
    *,
    name: str | None = None,
    domain: str | None = None,
    language: str = "en",
    licence: str | None = None,
) -> Path:
    """Write nodes and documents as files that an index is built from.

    `build_index("indexes/mine", sources=[write_corpus(nodes, "corpora/mine")])`. There is a file
    for each source document, so that a later build reads anew only what changed, and pictures are
    kept in "images". What an earlier call wrote to the folder and this one does not is removed.

    Text is kept as it is, but for white space around it and control characters. Of the metadata
    only these are kept: the document ("document", "file_name", or the name of "file_path" or
    "source"), the page and boxes (see `medrag.integrations.llama_index.places`), "title",
    "page_label", "kind" of a passage of medrag with its "fields", "domain", "licence", "time", and
    "subject" or "subject_id", "study" or "study_id", by which the guard knows a patient. These two
    stand in the files as they were given; an index holds their keyed hashes alone. What a retriever
    of medrag returned names no patient, so that the guard cannot know one: where that matters,
    build from the originals.

    An `ImageNode` or `ImageDocument` brings its picture: bytes in base64, or a file of this machine
    (PNG, JPEG, WebP, GIF, TIFF, BMP). An address is not fetched. A `Document` is cut at sentence
    ends when it is read; a node is not.

    Args:
        nodes: of any class with text, pictures or both; `NodeWithScore` counts as its node.
        folder: made if it does not exist.
        name: of the corpus; that of the folder by default.
        domain: of nodes that name none.
        language: ISO 639-1 code.
        licence: of nodes that name none.

    Returns:
        The path of the corpus card.

    Raises:
        ValueError: if a node has neither text nor a picture that can be had, or a box in no known
            form; names the node. Nothing was written then but pictures.
        InputFileError: if a picture cannot be read.
        OSError: if the folder cannot be written.
    """
    place = Path(folder).expanduser()
    (place / _IMAGES).mkdir(parents=True, exist_ok=True)
    grouped: dict[str, list[Any]] = defaultdict(list)
    for each in nodes:
        node = getattr(each, "node", each)
        grouped[_document(node)].append(node)
    images: set[str] = set()
    files = {
        file: _lines(document, grouped[document], place, images)
        for document, file in _file_names(list(grouped)).items()
    }
    for file, lines in files.items():
        write_atomically(place / file, "".join(f"{line}\n" for line in lines).encode("utf-8"))
    _forget(place, set(files), images)
    return _card(place, name, {"domain": domain, "language": language, "licence": licence})


def _document(node: Any) -> str:
    """Name the source document of a node."""
    for key in _DOCUMENT:
        value = node.metadata.get(key)
        # A reader of PDFs has the number of the page in "source".
        if isinstance(value, str) and value.strip() and not value.strip().isdigit():
            path = value.strip().replace("\\", "/")
            return path if key in ("document", "file_name") else path.rstrip("/").rsplit("/")[-1]
    return str(node.ref_doc_id or _UNNAMED)


def _file_names(documents: Sequence[str]) -> dict[str, str]:
    """Give each document a file of its own, on disks that tell no capitals apart as well."""
    plain = {each: re.sub(r"[^A-Za-z0-9._-]+", "_", each).strip("._")[:80] for each in documents}
    taken: dict[str, int] = defaultdict(int)
    for slug in plain.values():
        taken[slug.lower()] += 1
    names = {}
    for document, slug in plain.items():
        if slug != document or taken[slug.lower()] > 1:
            digest = hashlib.sha256(document.encode("utf-8", "replace")).hexdigest()[:8]
            slug = f"{slug}-{digest}" if slug else digest
        names[document] = f"{slug}{NODES}"
    return names


def _lines(document: str, nodes: Sequence[Any], folder: Path, images: set[str]) -> list[str]:
    told = [node.metadata for node in nodes]
    try:
        check_pages(told)
    except ValueError as error:
        raise ValueError(f"the nodes of {document!r}: {error}") from error
    numbered, lines = labels_count(told), []
    for node in nodes:
        try:
            record = _record(document, node, folder, numbered=numbered)
            line = json.dumps(record, ensure_ascii=False, sort_keys=True, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"node {node.node_id!r} of {document!r}: {error}") from error
        if "image" in record:
            images.add(record["image"])
        lines.append(_whole(line))
    return lines


def _record(document: str, node: Any, folder: Path, *, numbered: bool) -> dict[str, Any]:
    metadata, schema = node.metadata, core("schema")
    image = _image(node, folder)
    text = _text(node)
    if image is None and not text.strip():
        raise ValueError("it has neither text nor a picture on this machine; leave it out")
    regions = regions_of(metadata, numbered=numbered)
    # A box of a text is one on a page, or else nothing.
    placed = [each for each in regions if each["page"] is not None or image is not None]
    record = {
        "node_id": node.node_id,
        "text": text,
        "document": None if document == _UNNAMED else document,
        "regions": placed or None,
        "image": image,
        "kind": metadata.get("kind") if metadata.get("kind") in KINDS else None,
        "fields": _fields(metadata),
        "whole": isinstance(node, schema.Document) or None,
        **{role: _first(metadata, names) for role, names in _PATIENT.items()},
        **{
            key: _first(metadata, (key,))
            for key in ("title", "page_label", "domain", "licence", "time")
        },
    }
    return {key: value for key, value in record.items() if value is not None}


def _text(node: Any) -> str:
    """Give the words of a node without its metadata, also of one that has none."""
    resource = getattr(node, "text_resource", None)
    text = resource.text if resource is not None else getattr(node, "text", "")
    return text or ""


def _whole(line: str) -> str:
    """Replace halves of characters, which no file can hold."""
    return line.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _first(metadata: Mapping[str, Any], names: Sequence[str]) -> str | None:
    for name in names:
        value = metadata.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return str(value).strip()
    return None


def _fields(metadata: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give the fields that a retriever of medrag told; those of others have no such kind."""
    held = metadata.get("fields")
    if metadata.get("kind") not in KINDS or not isinstance(held, Mapping):
        return None
    return {key: held[key] for key in FIELDS if key in held and key != "doc_id"} or None


def _image(node: Any, folder: Path) -> str | None:
    """Keep the picture of a node below the folder, named by its content.

    Returns:
        Its path relative to the folder; None for a node without a picture.
    """
    content = _pixels(node)
    if content is None:
        return None
    suffix = _SUFFIXES.get(raster_name(content[:64]) or "")
    if suffix is None:
        raise ValueError(f"its picture is none of {', '.join(_SUFFIXES)}; convert it")
    name = f"{_IMAGES}/{hashlib.sha256(content).hexdigest()[:32]}{suffix}"
    if not (folder / name).exists():
        write_atomically(folder / name, content)
    return name


def _pixels(node: Any) -> bytes | None:
    """Read the bytes of a picture file that a node holds or names."""
    resource = getattr(node, "image_resource", None)
    data = getattr(resource, "data", None) or getattr(node, "image", None)
    path = getattr(resource, "path", None) or getattr(node, "image_path", None)
    url = getattr(resource, "url", None) or getattr(node, "image_url", None)
    if data:
        try:
            return base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError("its picture is not in base64") from error
    if path:
        try:
            return Path(path).expanduser().read_bytes()
        except OSError as error:
            problem = f"cannot be read ({error.strerror}); it is the picture of a node"
            raise InputFileError(Path(path), problem) from error
    if url:
        raise ValueError("its picture is an address; download it, and give image_path")
    return None


def _forget(folder: Path, files: set[str], images: set[str]) -> None:
    """Remove what an earlier call wrote and this one does not, if the card says that it did."""
    if not (folder / _CARD).is_file():
        return
    for path in folder.glob(f"*{NODES}"):
        if path.name not in files:
            path.unlink()
    for path in (folder / _IMAGES).iterdir():
        if _OURS.fullmatch(path.name) and f"{_IMAGES}/{path.name}" not in images:
            path.unlink()


def _card(folder: Path, name: str | None, told: Mapping[str, str | None]) -> Path:
    corpus = name or re.sub(r"[^A-Za-z0-9_.-]+", "-", folder.absolute().name).strip("-._")
    spec = {
        "name": corpus or _UNNAMED,
        "about": "nodes of LlamaIndex, written by medrag",
        **{key: value for key, value in told.items() if value},
        "files": [{"glob": f"*{NODES}", "kind": "nodes"}],
    }
    card = folder / _CARD
    write_atomically(card, require("yaml").safe_dump(spec, sort_keys=False).encode("utf-8"))
    return card
