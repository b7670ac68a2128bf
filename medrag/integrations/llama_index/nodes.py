"""A hit as a node of LlamaIndex: its words, its picture, and where it comes from."""

import base64
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from medrag.errors import MedragError
from medrag.extras import require
from medrag.images import read_image
from medrag.images.formats import raster_name
from medrag.images.given import at_most, png
from medrag.images.limits import decoding
from medrag.integrations.llama_index.core import core
from medrag.records import Hit, ImageRef, Passage, Region, is_of_a_patient

_LOGGER = logging.getLogger(__name__)
# What a model reads beside the words of a node; all else is for the program.
_TOLD = frozenset({"kind", "document", "page", "title", "patient"})
_EMBEDDED = frozenset({"title"})
# Fields of a passage that go along: none holds a path, and none repeats the text at length.
FIELDS = (
    "number", "caption", "view", "modality", "question", "answer", "options", "answer_type", "id",
    "name", "synonyms", "definition", "xrefs", "parents", "head", "relation", "tail", "head_id",
    "tail_id", "doc_id",
)  # fmt: skip
# Files that every model and browser opens, to their media type.
_COMMON = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
_EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True)
class Showing:
    """Which pictures nodes hold.

    Attributes:
        kinds: of passages that become an `ImageNode`, where they have a picture.
        max_pixels: of one picture; larger ones are made smaller.
    """

    kinds: frozenset[str]
    max_pixels: int


def node_of(hit: Hit, resolve: Callable[[Passage], Passage] | None, showing: Showing) -> Any:
    """Turn a hit into a `NodeWithScore`.

    Args:
        resolve: makes the paths of a passage's images absolute; None where they are so already.
    """
    schema = core("schema")
    passage, metadata = hit.passage, metadata_of(hit)
    picture = _picture(passage, resolve, showing)
    common: dict[str, Any] = {
        "id_": passage.id,
        "text": passage.text or ("" if picture else f"({passage.kind} without text)"),
        "metadata": metadata,
        "excluded_llm_metadata_keys": [key for key in metadata if key not in _TOLD],
        "excluded_embed_metadata_keys": [key for key in metadata if key not in _EMBEDDED],
        "relationships": {schema.NodeRelationship.SOURCE: _document(passage)},
    }
    node = image_node_class()(**common, **picture) if picture else schema.TextNode(**common)
    return schema.NodeWithScore(node=node, score=hit.score)


def metadata_of(hit: Hit) -> dict[str, Any]:
    """Say of a hit, in JSON values, where it stands and how it was found.

    Subject, study and time are left out, also as pseudonyms: metadata is shown, stored and traced
    by whatever LlamaIndex is connected to.
    """
    passage, source = hit.passage, hit.passage.source
    page = next((r.page for r in source.regions if r.page is not None), None)
    boxes = [list(r.box) for r in source.regions if r.box is not None and r.page == page]
    told = {
        "passage_id": passage.id,
        "kind": passage.kind,
        "title": passage.fields.get("title"),
        "corpus": source.corpus,
        "document": source.document,
        "file_name": source.document,
        "document_sha256": source.sha256,
        "page": page,
        "page_label": None if page is None else str(page),
        "boxes": boxes or None,
        "regions": [_region(region) for region in source.regions] or None,
        "domain": source.domain,
        "licence": source.licence,
        "language": source.language,
        "patient": "not the one that is asked about" if is_of_a_patient(passage) else None,
        "fields": {key: passage.fields[key] for key in FIELDS if key in passage.fields} or None,
        "picture": _place(passage.images[0]) if passage.images else None,
        "n_pictures": len(passage.images) or None,
        "rank": hit.rank,
        "channels": {
            name: {"rank": part.rank, "score": part.score} for name, part in hit.parts.items()
        },
    }
    return {key: value for key, value in told.items() if value is not None}


@cache
def image_node_class() -> Any:
    """Make the class of nodes with a picture."""
    base, types = core("schema").ImageNode, core("base.llms.types")
    none = core("schema").MetadataMode.NONE

    class PassageImageNode(base):  # type: ignore[misc, valid-type]
        """An `ImageNode` that gives a model its words as well: LlamaIndex's own leaves them out."""

        def get_content_blocks(self, metadata_mode: Any = none) -> Any:
            *before, picture = super().get_content_blocks(metadata_mode)
            words = [types.TextBlock(text=self.text)] if self.text else []
            return [*before, *words, picture]

    return PassageImageNode


def _region(region: Region) -> dict[str, Any]:
    return {"page": region.page, "box": None if region.box is None else list(region.box)}


def _place(image: ImageRef) -> dict[str, Any]:
    """Say which picture it is, by the path in its corpus."""
    told = {
        "path": image.path, "page": image.page, "frame": image.frame, "axis": image.axis,
        "slice": image.slice, "box": None if image.box is None else list(image.box),
        "sha256": image.sha256,
    }  # fmt: skip
    return {key: value for key, value in told.items() if value is not None}


def _document(passage: Passage) -> Any:
    schema, source = core("schema"), passage.source
    return schema.RelatedNodeInfo(
        node_id=f"{source.corpus}/{source.document}",
        node_type=schema.ObjectType.DOCUMENT,
        metadata={"corpus": source.corpus, "document": source.document},
        hash=source.sha256,
    )


def _picture(
    passage: Passage, resolve: Callable[[Passage], Passage] | None, showing: Showing
) -> Mapping[str, str]:
    """Give what an `ImageNode` takes: a path, or pixels; nothing where there is no picture."""
    if passage.kind not in showing.kinds or not passage.images:
        return {}
    alone = replace(passage, images=passage.images[:1])
    try:
        (image,) = (resolve(alone) if resolve else alone).images
        kind = _common_format(image, showing.max_pixels)
        if kind is not None:
            return {"image_path": image.path, "image_mimetype": kind}
        pixels = at_most(read_image(image), showing.max_pixels)
        return {"image": base64.b64encode(png(pixels)).decode(), "image_mimetype": "image/png"}
    except (MedragError, OSError) as error:
        _LOGGER.warning("%s is given without its picture: %s", passage.id, error)
        return {}


def _common_format(image: ImageRef, most: int) -> str | None:
    """Name the media type of a file that can be given as it is; None where it must be drawn."""
    if replace(image, sha256=None, phash=None) != ImageRef(image.path):
        return None
    path = Path(image.path)
    with decoding(path, "picture"), path.open("rb") as file:
        name = raster_name(file.read(64))
        if name not in _COMMON:
            return None
        file.seek(0)
        opened = require("PIL.Image").open(file, formats=[name])
        upright = opened.getexif().get(_EXIF_ORIENTATION, 1) == 1
        plain = opened.mode in ("L", "RGB") and getattr(opened, "n_frames", 1) == 1
        small = opened.width * opened.height <= most
        return _COMMON[name] if upright and plain and small else None
