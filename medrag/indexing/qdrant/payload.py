"""What a point says beside its vectors, and a filter as conditions on it.

qdrant-client and qdrant-edge name their conditions alike, so that one function serves both.
Texts compare as Python compares them, which Qdrant has no range for: a time is kept as whole
numbers of 6 bytes each, which a double holds exactly, and a filter looks at them in turn.
"""

from collections.abc import Mapping
from typing import Any

from medrag.extras import Library
from medrag.indexing.columns import Columns, is_before
from medrag.indexing.postings import keyword
from medrag.indexing.storage import Store
from medrag.records import Filter

_COLUMNS = ("kind", "domain", "corpus", "subject", "study")
_PART_BYTES, _PARTS = 6, 5
TIME_KEYS = tuple(f"time_{number}" for number in range(_PARTS))

Payload = dict[str, Any]


def fields_of(store: Store) -> dict[str, bool]:
    """Name the fields that any passage says something in; True for whole numbers."""
    fields: dict[str, bool] = {}
    for segment in store.segments:
        fields |= _fields(segment.columns)
    return fields


def payload_of(columns: Columns, row: int) -> Payload:
    """Describe a passage for filters; what it lacks is left out."""
    payload: Payload = {}
    for name in _COLUMNS:
        if (value := _value(columns, name, row)) is not None:
            payload[name] = keyword(value)
    if (time := _value(columns, "time", row)) is not None:
        payload |= zip(TIME_KEYS, time_numbers(time), strict=True)
    if images := columns.images_of(row):
        payload["images"] = images
    return payload


def allows(columns: Columns, row: int, wanted: Filter) -> bool:
    """Tell whether a filter lets one row through, as `Columns.allowed` does for all of them."""
    wants, refuses = _wanted(wanted), _refused(wanted)
    if any(names and _value(columns, name, row) not in names for name, names in wants.items()):
        return False
    if wanted.before is not None:
        time = _value(columns, "time", row)
        if time is None or not is_before(wanted.before, time):
            return False
    if any(names and _value(columns, name, row) in names for name, names in refuses.items()):
        return False
    return not wanted.not_images or wanted.not_images.isdisjoint(columns.images_of(row))


def payload_filter(wanted: Filter, library: Library) -> Any:
    """Write a filter in the words of `qdrant_client.models` or `qdrant_edge`; None for all.

    It lets through what the filter does, and beyond that only times that begin with all 30 bytes
    of a longer `before`; rows are checked once more where they are scored.
    """
    must = _matches(_wanted(wanted), library)
    must_not = _matches({**_refused(wanted), "images": wanted.not_images}, library)
    if wanted.before is not None:
        must.append(_before(wanted.before, library))
        # "2020" may be after "2020-05", which it is less than.
        longest = min(len(wanted.before), _PART_BYTES * _PARTS)
        prefixes = [wanted.before[:length] for length in range(longest)]
        must_not += [_at(prefix, library) for prefix in prefixes]
    return library.Filter(must=must, must_not=must_not) if must or must_not else None


def time_numbers(time: str) -> tuple[int, ...]:
    """Write a time as numbers, of which the first that differ compare as the texts do."""
    size = _PART_BYTES * _PARTS
    content = _bytes(time)[:size].ljust(size, b"\0")
    return tuple(
        int.from_bytes(content[at : at + _PART_BYTES], "big") for at in range(0, size, _PART_BYTES)
    )


def _wanted(wanted: Filter) -> dict[str, frozenset[str]]:
    """Name the columns of which a filter wants one of some values, if any."""
    return {
        "kind": wanted.kinds,
        "domain": wanted.domains,
        "corpus": wanted.corpora,
        "subject": wanted.subjects,
    }


def _refused(wanted: Filter) -> dict[str, frozenset[str]]:
    return {"study": wanted.not_studies, "subject": wanted.not_subjects}


def _fields(columns: Columns) -> dict[str, bool]:
    fields = {name: False for name in _COLUMNS if columns.values(name)}
    if columns.has_images:
        fields["images"] = False
    parts = [time_numbers(time) for time in columns.values("time")]
    for name, each in zip(TIME_KEYS, zip(*parts, strict=True), strict=False):
        if any(each):
            fields[name] = True
    return fields


def _matches(groups: Mapping[str, frozenset[str]], library: Library) -> list[Any]:
    return [
        library.FieldCondition(key=key, match=library.MatchAny(any=sorted(map(keyword, names))))
        for key, names in groups.items()
        if names
    ]


def _before(time: str, library: Library) -> Any:
    """Ask that one part is smaller and those before it are equal."""
    # Edge calls Range what the client does.
    span = getattr(library, "RangeFloat", None) or library.Range
    parts = time_numbers(time)
    clauses = []
    for number, part in enumerate(parts):
        equal = [
            library.FieldCondition(key=key, match=library.MatchValue(value=value))
            for key, value in zip(TIME_KEYS[:number], parts, strict=False)
        ]
        cut = number == _PARTS - 1 and not _whole(time)
        within = span(lte=float(part)) if cut else span(lt=float(part))
        if part or cut:
            clause = library.FieldCondition(key=TIME_KEYS[number], range=within)
            clauses.append(library.Filter(must=[*equal, clause]))
    # Nothing is before the empty text.
    never = library.FieldCondition(key=TIME_KEYS[0], range=span(lt=-1.0))
    return library.Filter(should=clauses or [never])


def _at(time: str, library: Library) -> Any:
    """Match one time: its parts, and that there is no further one."""
    parts = time_numbers(time)
    n = next((number for number, part in enumerate(parts, start=1) if not part), len(parts))
    equal = zip(TIME_KEYS[:n], parts, strict=False)
    match = library.MatchValue
    return library.Filter(
        must=[library.FieldCondition(key=key, match=match(value=value)) for key, value in equal]
    )


def _whole(time: str) -> bool:
    return len(_bytes(time)) <= _PART_BYTES * _PARTS and not time.endswith("\0")


def _value(columns: Columns, name: str, row: int) -> str | None:
    code = int(columns.codes(name)[row])
    return None if code < 0 else columns.values(name)[code]


def _bytes(text: str) -> bytes:
    # UTF-8 orders as code points do, lone surrogates included.
    return text.encode("utf-8", "surrogatepass")
