"""Where a passage stands in its document, in words."""

from medrag.records import Passage


def place_in_document(passage: Passage) -> str:
    """Say it as a person would look it up: "page 4", "pages 4 and 5", "line 12, characters 0-900".

    Empty where the document itself, a name or a picture is the place.
    """
    pages = sorted({r.page for r in passage.source.regions if r.page is not None})
    if not pages:
        return str(passage.fields.get("span") or "")
    if len(pages) == 1:
        return f"page {pages[0]}"
    return f"pages {', '.join(map(str, pages[:-1]))} and {pages[-1]}"
