"""The closed table of reasons why something is not in an index."""

from collections.abc import Mapping
from types import MappingProxyType

# Code to meaning, as a person reads it after a build. `Skipped.failed` is set where the code says
# that something could not be read; the others were left out on purpose.
REASONS: Mapping[str, str] = MappingProxyType(
    {
        # Left out on purpose.
        "front_matter": "title pages, imprint and preface",
        "contents": "a table of contents",
        "index": "an alphabetical index",
        "references": "a list of references",
        "boilerplate": "running heads, page numbers and navigation",
        "obsolete": "a term that its ontology has withdrawn",
        "duplicate": "the same record once more",
        "side_file": "a file about the data: judgements, boxes, a licence, a list of files",
        "hidden": "a hidden file or folder",
        "outside": "a link that leaves the folder, or to another folder",
        "index_folder": "the folder of an index, which is no source",
        "referenced": "a picture that is indexed with the report, caption or case that names it",
        "image_not_shipped": "a picture that the file names but its collection does not contain",
        "embedded": "a picture inside a document of a kind whose pictures are not read",
        "identifying": "a path that shows what identifies a person; the file counts, but rename it",
        "burnt_in_text": "a picture of a kind that often has a name burnt in",
        "not_a_picture": "a report, mask, plan or curve in a picture format",
        "not_chosen": "frames or slices of a long series that stand for no passage",
        "blank": "a frame or slice of one colour",
        "misnamed": "a file that is not what its name says; read as what it is",
        # Present, with less than hoped for.
        "no_text_layer": "a page without readable text; kept as a picture",
        "encoding": "text in no declared encoding, read as Latin-1",
        "missing_image": "a picture that a record names is not there; the record counts without it",
        "unsafe_path": "a path that leaves the folder of its file; not opened",
        # Could not be read.
        "bad_line": "a line or row that cannot be read",
        "empty": "nothing in it",
        "unreadable": "damaged, encrypted, or not what its name says",
        "unknown_type": "a type that no reader of medrag knows",
        "missing_extra": "needs a library that is not installed",
    }
)
