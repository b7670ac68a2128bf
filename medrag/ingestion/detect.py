"""What a file is, by its content first and its name second."""

import csv
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from medrag.images.formats import (
    is_dicom_header,
    is_nifti_header,
    is_pdf_header,
    raster_name,
)
from medrag.ingestion import magic
from medrag.ingestion.columns import (
    CAPTION_COLUMNS,
    CASE_COLUMNS,
    REPORT_COLUMNS,
    TEXT_COLUMNS,
    TRIPLE_COLUMNS,
    known,
    labelled_ids,
    plain,
)  # fmt: skip
from medrag.ingestion.decoding import decode, is_binary
from medrag.ingestion.image import SUFFIXES
from medrag.ingestion.llama_index import NODES
from medrag.ingestion.published import format_of
from medrag.ingestion.sources import source_of
from medrag.records import Corpus, Skipped

HEAD = 64 * 1024  # bytes read of each file
_TEXT_SUFFIXES = {"", ".txt", ".text", ".md", ".markdown", ".rst"}
_TABLE_SUFFIXES = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_RECORD_SUFFIXES = {".csv", ".tsv", ".tab", ".jsonl", ".ndjson"}
_BINARY_SUFFIXES = {
    ".pdf", ".docx", ".dcm", ".nii", ".gz", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".gif",
    ".bmp", ".webp",
}  # fmt: skip
_SIDE_NAMES = re.compile(
    r"(licen[cs]e|copying|notice|manifest|authors|sha(256|512|1)sums?|md5sums?)(\.(txt|md|tsv|csv))?$",
    re.IGNORECASE,
)
_HTML_TAGS = {"html", "head", "body", "div", "p", "h1", "h2", "main", "section", "meta", "title"}
_TURTLE = re.compile(r"^\s*(@prefix|@base|prefix)\s", re.IGNORECASE | re.MULTILINE)
_N_TRIPLE = re.compile(r"\s*(<[^<>\s]+>|_:\w+)\s+<[^<>\s]+>\s+(<[^<>\s]+>|_:\w+|\").*\.\s*$")
_KEY = re.compile(r'[\s,]*("(?:[^"\\]|\\.)*")\s*:\s*')
_OBO = re.compile(r"(?:\s|!.*\n)*(format-version:|\[Term\])")
_RADGRAPH = re.compile(
    r'"label"\s*:\s*"(?:OBS-(?:DP|U|DA)|ANAT-DP|CHAN-\w+|(?:Observation|Anatomy)::[^"]+)"'
)
# The references of MMed-RAG and RULE, in both spellings, and those of TemMed-Bench.
_CONTEXTS = {"reference_reports", "reference_report", "reference_condition_changes_reports"}
_ASK_CARD = "to read it, say what it is in a corpus card (kind and columns)"


@dataclass(frozen=True, slots=True)
class Detected:
    """What a file is: a kind that an ingestor reads, or None with the reason for a person.

    Attributes:
        kind: "textbook", "text", "jats", "report", "image", "captions", "dicom", "nifti", "case",
            "graph", "radgraph", "published", "nodes" or "beir"; None where no ingestor fits.
        reason: what was seen; for None also what to do about it.
        code: of `medrag.ingestion.reasons`; where the kind is known, "".
    """

    kind: str | None
    reason: str
    code: str = ""


def detect(path: Path) -> Detected:
    """Say what a file is from its first 64 KiB and its name.

    A file whose name promises a format that its content has not is taken for what it is, where
    that is known, and the reason says so.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        return Detected(None, f"cannot be read: {error.strerror}", "unreadable")
    if not head:
        return Detected(None, "empty", "empty")
    return _binary(path, head) or _text(path, head)


def not_read(corpus: Corpus, path: Path, detected: Detected) -> Skipped:
    """Put a file of no kind on record. It failed if it is empty or cannot be opened."""
    failed = detected.code in ("empty", "unreadable")
    source = source_of(corpus, path, sha256="")
    return Skipped(source, detected.code or "unknown_type", detected.reason, failed)


def _unknown(reason: str, code: str = "unknown_type") -> Detected:
    return Detected(None, reason, code)


def _binary(path: Path, head: bytes) -> Detected | None:
    named = path.suffix.lower()
    # First: the preamble of a DICOM file may be the header of a TIFF for the same pixels.
    if is_dicom_header(head):
        return Detected("dicom", "a DICOM file")
    if picture := raster_name(head):
        honest = not named or named in SUFFIXES[picture]
        note = "" if honest else f", though named {named}"
        return Detected("image", f"a {picture} picture{note}")
    if is_nifti_header(head):
        return Detected("nifti", "a NIfTI volume")
    if is_pdf_header(head):
        return Detected("textbook", "a PDF")
    if head.startswith(b"PK\x03\x04"):
        kind = magic.zip_kind(head)
        if kind == "docx":
            return Detected("text", "a Word document")
        return _unknown(f"{kind}; unpack it, or save it as PDF, text or CSV")
    if other := magic.other_format(head):
        return _unknown(f"{other}; unpack or convert it to a type that medrag reads")
    return None


def _text(path: Path, head: bytes) -> Detected:
    named = path.suffix.lower()
    if named in _RECORD_SUFFIXES:
        # A NUL spoils the line that holds it, and the reader of lines says which.
        head = head.replace(b"\0", b"") if head[:2] not in (b"\xff\xfe", b"\xfe\xff") else head
    decoded = decode(head, cut=len(head) == HEAD)
    if is_binary(decoded):
        if named in _BINARY_SUFFIXES | _RECORD_SUFFIXES | _TEXT_SUFFIXES - {""}:
            return _unknown(f"named {named}, but its content is not: damaged?", "unreadable")
        return _unknown(f"a binary file of an unknown type (begins {head[:8].hex(' ')})")
    text = decoded.text
    if not text.strip():
        return _unknown("empty", "empty")
    if named in _BINARY_SUFFIXES:
        begins = " ".join(text[:200].split())[:40]
        return _unknown(
            f"named {named}, but holds a text (begins {begins!r}): a page of an error, or a "
            "pointer to the file? get the file again, or rename it to what it is",
            "unreadable",
        )
    if _SIDE_NAMES.match(path.name):
        return _unknown("a file about the files beside it, not part of their content", "side_file")
    readers: tuple[Callable[[Path, str], Detected | None], ...] = (
        _ontology, _markup, _json, _table, _prose,
    )  # fmt: skip
    found = (reader(path, text) for reader in readers)
    return next((detected for detected in found if detected), _nothing(path))


def _nothing(path: Path) -> Detected:
    return _unknown(
        f"a text with the unknown ending {path.suffix or path.name!r}; rename it to .txt or .md if "
        f"it is prose, or {_ASK_CARD}"
    )


def _markup(path: Path, text: str) -> Detected | None:
    if not text.lstrip().startswith("<"):
        return None
    root = magic.xml_root(text)
    lower = (root or "").lower()
    if lower in _HTML_TAGS or path.suffix.lower() in (".html", ".htm", ".xhtml"):
        return Detected("text", "an HTML page")
    if root is None or (path.suffix.lower() in _TEXT_SUFFIXES and lower not in _XML_ROOTS):
        return None
    if lower == "ontology" and "owl" in text[:4096]:
        return _unknown("OWL/XML; save the ontology as RDF/XML, Turtle or OBO")
    if lower == "annotation" and "<bndbox>" in text:
        return _unknown("boxes of a picture (Pascal VOC); read with the picture's cases only",
                        "side_file")  # fmt: skip
    return _XML_ROOTS.get(lower) or _unknown(f"XML with the root <{root}>, which no reader knows")


_XML_ROOTS = {
    "ecitation": Detected("report", "an Indiana University report"),
    "article": Detected("jats", "a JATS article"),
    "pmc-articleset": Detected("jats", "JATS articles"),
    "rdf": Detected("graph", "an ontology in RDF/XML"),
}


def _ontology(path: Path, text: str) -> Detected | None:
    if _OBO.match(text):
        return Detected("graph", "an OBO ontology")
    if path.suffix.lower() in (".ttl", ".turtle") or _TURTLE.match(text):
        return Detected("graph", "an ontology in Turtle")
    lines = [line for line in text.split("\n")[:20] if line.strip() and not line.startswith("#")]
    if lines and all(_N_TRIPLE.match(line) for line in lines[:5]):
        return Detected("graph", "RDF in N-Triples")
    return None


def _json(path: Path, text: str) -> Detected | None:
    start = text.lstrip()
    lined = path.suffix.lower() in (".jsonl", ".ndjson")
    if not lined and (not start.startswith(("{", "[")) or path.suffix.lower() in (".md", ".txt")):
        return None
    if '"entities"' in start and _RADGRAPH.search(start):
        return Detected("radgraph", "entities and relations of RadGraph")
    if names := _names_of_lines(start):
        return _by_columns(path, names, "JSON lines")
    if start.startswith("[") and (names := _names_of_first(start[1:].lstrip())):
        return _by_columns(path, names, "a JSON array")
    if "\n" not in start and (names := _names_of_first(start)):
        return _by_columns(path, names, "JSON lines, the first longer than 64 KiB,")
    keys = re.findall(r'"((?:[^"\\]|\\.)*)"\s*:', start[:2000])[:6]
    seen = f" (keys {', '.join(keys)})" if keys else ""
    named = "JSON lines" if lined else "JSON"
    return _unknown(f"{named} that is no list of records{seen}; write one object per line (.jsonl)")


def _names_of_lines(text: str) -> list[str]:
    names: dict[str, None] = {}
    for line in text.split("\n")[:20]:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        names.update(dict.fromkeys(record if isinstance(record, dict) else ()))
    return list(names)


def _names_of_first(text: str) -> list[str]:
    """Name the keys of the object that a text begins with, which may end within a value."""
    decode_value = json.JSONDecoder().raw_decode
    names: list[str] = []
    place, opened = 1, text[:1] == "{"
    while opened and (key := _KEY.match(text, place)):
        try:
            names.append(json.loads(key.group(1)))
            _, place = decode_value(text, key.end())
        except (ValueError, RecursionError):
            break
    return names


def _table(path: Path, text: str) -> Detected | None:
    delimiter = _TABLE_SUFFIXES.get(path.suffix.lower())
    named = delimiter is not None
    if delimiter is None:
        if path.suffix.lower() not in ("", ".txt") or "\t" not in text.split("\n", 1)[0]:
            return None
        delimiter = "\t"
    lines = [line for line in text.split("\n") if line.strip()]
    if delimiter == "," and lines and lines[0].count(";") > lines[0].count(","):
        delimiter = ";"
    try:
        header = next(csv.reader(lines, delimiter=delimiter), [])
    except csv.Error as error:
        return _unknown(f"a table that cannot be read ({error})", "unreadable")
    found = _by_columns(path, header, "a table")
    return found if named or found.kind else None


def _prose(path: Path, _: str) -> Detected | None:
    if path.suffix.lower() not in _TEXT_SUFFIXES:
        return None
    return Detected("text", "Markdown" if path.suffix.lower().startswith(".m") else "plain text")


def _by_columns(path: Path, names: Sequence[str], shape: str) -> Detected:
    folded = [plain(name) for name in names]
    if path.name.lower().endswith(NODES) and {"node_id", "text"} <= set(names):
        return Detected("nodes", f"nodes of LlamaIndex ({shape})")
    if published := _published(names, shape):
        return published
    if {"query_id", "corpus_id"} <= set(folded):
        return _unknown("relevance judgements (BEIR qrels), read by `medrag eval`", "side_file")
    if gold := [name for name in names if plain(name).startswith("gold")]:
        return _unknown(
            f"a benchmark, by its column {gold[0]}: indexing it would give its answers away; "
            f"{_ASK_CARD}",
            "side_file",
        )
    if "_id" in names and "text" in folded:
        if "title" in folded or path.stem == "corpus":
            return Detected("beir", f"a BEIR corpus ({shape})")
        return _unknown("the queries of a BEIR benchmark, read by `medrag eval`", "side_file")
    kind = _kind_of_columns(names)
    seen = ", ".join(name if len(name) <= 40 else f"{name[:37]}..." for name in names[:8])
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    if kind is None and any(len(name) > 60 or name.endswith((".", "?")) for name in names):
        return _unknown(
            f"{shape} without a line of column names (begins {names[0][:40]!r}); add one"
        )
    if kind is None:
        return _unknown(f"{shape} whose columns say no kind ({seen}{more}); {_ASK_CARD}")
    return Detected(kind, f"{shape} with the columns {seen}{more}")


def _published(names: Sequence[str], shape: str) -> Detected | None:
    """Tell the files of published systems: what they retrieve from, and what they are asked."""
    held, folded = set(names), {plain(name) for name in names}
    if "triplets" in folded and {"img_id", "img_path", "study_id"} & folded:
        return Detected("radgraph", f"triplets of pictures ({shape})")
    if references := held & _CONTEXTS:
        return _unknown(
            f"questions with the contexts that a system found ({min(references)}): indexing them "
            "would give their answers away; the retriever 'found' brings these contexts; "
            f"{_ASK_CARD}",
            "side_file",
        )
    asked = {"cur_image_path", "content_type"} <= held and "cur_report" not in held
    if asked or "VQA_Final" in held:
        return _unknown("questions about two images, read by `medrag eval`", "side_file")
    form = format_of(names)
    return Detected("published", f"reports as {form} has them ({shape})") if form else None


def _kind_of_columns(names: Sequence[str]) -> str | None:
    case = known(names, CASE_COLUMNS)
    if "question" in case and "answer" in case:
        return "case"
    if {"head", "relation", "tail"} <= known(names, TRIPLE_COLUMNS).keys():
        return "graph"
    if len(labelled_ids(names)) >= 2:
        return "graph"
    report = known(names, REPORT_COLUMNS)
    if {"findings", "impression"} & report.keys():
        return "report"
    # A bare "text" may be anything; a report is told by a further column of its own.
    if "text" in report and plain(report["text"]) != "text":
        return "report"
    if {"image", "caption"} <= known(names, CAPTION_COLUMNS).keys():
        return "captions"
    text = known(names, TEXT_COLUMNS)
    return "text" if "text" in text and ({"title", "doc_id"} & text.keys()) else None
