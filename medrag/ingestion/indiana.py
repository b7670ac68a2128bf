"""The XML of the Indiana University chest X-ray collection: one report a file.

Source:
    Demner-Fushman et al., Preparing a collection of radiology examinations for distribution and
    retrieval, JAMIA 2016.
"""

from pathlib import Path
from xml.etree.ElementTree import Element

from medrag.errors import InputFileError
from medrag.identity import pseudonym
from medrag.ingestion.decoding import beginning
from medrag.ingestion.pictures import Pictures
from medrag.ingestion.reportsections import written
from medrag.ingestion.sources import file_sha256, source_of
from medrag.ingestion.times import iso_time
from medrag.ingestion.xmltree import child, children, local_name, read_xml, words_of
from medrag.records import Corpus, Passage, Skipped, passage_id

_LICENCES = {"byncnd": "CC BY-NC-ND 4.0"}


def is_indiana(path: Path) -> bool:
    """Tell one of these reports by its first element."""
    text = beginning(path, 4096)
    return text.startswith("<") and ("<eCitation" in text or path.suffix.lower() == ".xml")


def indiana_report(corpus: Corpus, path: Path, key: bytes) -> list[Passage | Skipped]:
    """Read one report. Its pictures are used where they lie beside it, named as in the XML.

    Raises:
        InputFileError: if it is damaged, is of another kind, or holds no section with text.
    """
    root = read_xml(path)
    if local_name(root) != "eCitation":
        raise InputFileError(
            path, f"an XML with the root <{local_name(root)}>, expected the <eCitation> of a report"
        )
    sections = _sections(root)
    if not sections:
        raise InputFileError(path, "a report whose sections are all empty")
    identifier = _attribute(root, "uId")
    hashed = pseudonym(identifier, key) if identifier else None
    # Each report of the collection is one study of one patient; it tells no more of the patient.
    source = source_of(
        corpus, path, sha256=file_sha256(path), subject=hashed, study=hashed,
        time=iso_time(words_of(child(root, "articleDate"))), licence=_licence(root),
        domain=corpus.domain or "radiology",
    )  # fmt: skip
    names = [f"{name}.png" for name in _picture_names(root)]
    found = Pictures(corpus=corpus, file=path).of(names, "", source, "parentImage")
    text = written(sections)
    fields = {"sections": sections, **_further(root)}
    if found.images:
        fields["image_paths"] = [image.path for image in found.images]
    report = Passage(
        passage_id("report", source, text, found.images), "report", text, source, found.images,
        fields,
    )  # fmt: skip
    return [*_left_out(found.skipped, len(names)), report]


def _sections(root: Element) -> dict[str, str]:
    abstract = child(root, "MedlineCitation", "Article", "Abstract")
    sections: dict[str, str] = {}
    for part in children(abstract, "AbstractText") if abstract is not None else ():
        text = words_of(part)
        name = part.get("Label", "text").lower()
        if text:
            sections[name] = f"{sections[name]} {text}" if name in sections else text
    # In the order in which a radiologist reads: why, compared with what, what is seen, what it is.
    order = ("indication", "comparison", "findings", "impression")
    rest = [name for name in sections if name not in order]
    return {name: sections[name] for name in (*order, *rest) if name in sections}


def _further(root: Element) -> dict[str, object]:
    mesh = child(root, "MeSH")
    major = [words_of(e) for e in children(mesh, "major")] if mesh is not None else []
    automatic = [words_of(e) for e in children(mesh, "automatic")] if mesh is not None else []
    views = [words_of(child(image, "caption")) for image in children(root, "parentImage")]
    fields: dict[str, object] = {}
    if major:
        fields["mesh"] = major
    if automatic:
        fields["mesh_automatic"] = automatic
    if view := "; ".join(dict.fromkeys(filter(None, views))):
        fields["view"] = view
    # "Calcinosis/lung/hilum/right" are words to search like a title.
    if title := "; ".join(dict.fromkeys([*major, *automatic])):
        fields["title"] = title
    return fields


def _picture_names(root: Element) -> list[str]:
    return [image.get("id", "") for image in children(root, "parentImage") if image.get("id")]


def _attribute(root: Element, name: str) -> str:
    element = child(root, name)
    return element.get("id", "").strip() if element is not None else ""


def _licence(root: Element) -> str | None:
    code = words_of(child(root, "ccLicense"))
    return _LICENCES.get(code) or words_of(child(root, "licenseURL")) or None


def _left_out(missing: tuple[Skipped, ...], named: int) -> list[Skipped]:
    """Say once for a report whose pictures do not lie beside it; they come in another archive."""
    absent = [each for each in missing if each.reason == "missing_image"]
    others = [each for each in missing if each.reason != "missing_image"]
    if not absent:
        return others
    detail = f"{len(absent)} of the {named} pictures that the report names do not lie beside it"
    return [*others, Skipped(absent[0].source, "image_not_shipped", detail)]
