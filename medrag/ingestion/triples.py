"""Tables of facts: head, relation, tail; or pairs of an id and a label in each row."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from medrag.errors import InputFileError
from medrag.ingestion.columns import (
    TRIPLE_COLUMNS,
    Columns,
    check_roles,
    known,
    labelled_ids,
    plain,
    resolved_columns,
)
from medrag.ingestion.lines import BadLine, BadRecordError, Record, column_names, records, text_of

# The relation of an id-and-label pair, from the stem of its columns ("anatomy_id"); every other
# stem gives "has_STEM", such as "has_symptom" for "symptom_id".
STEM_RELATIONS: Mapping[str, str] = {
    "anatomy": "located_in",
    "anatomical_site": "located_in",
    "location": "located_in",
    "site": "located_in",
    "organ": "located_in",
    "parent": "is_a",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns make a fact. A column is None where the table has none for it.

    `relation` is a column; `name` is the relation of every row where there is no such column.
    """

    head: str
    tail: str
    head_id: str | None = None
    tail_id: str | None = None
    relation: str | None = None
    name: str = ""
    xrefs: str | None = None


@dataclass(slots=True)
class Support:
    """How many rows say a fact, and the place of the first."""

    first: str
    rows: int = 1


@dataclass(slots=True)
class Table:
    """What a table of facts says. Filled row by row.

    A node is named by its id, or by its label where the table has no id for it; `ids` tells the
    first from the second, because a label is no id that another file could share.
    """

    labels: dict[str, str] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    places: dict[str, str] = field(default_factory=dict)
    xrefs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    facts: dict[tuple[str, str, str], Support] = field(default_factory=dict)
    bad: list[BadLine] = field(default_factory=list)


def read_triples(path: Path, *, columns: Columns | None, relation: str | None) -> Table:
    """Read a table of facts; equal ones are merged, and their rows counted.

    A row without a tail gives its head alone. A bad row is put on record.

    Raises:
        InputFileError: if the columns of a fact are not there, naming those found and expected.
    """
    layout = _layout(path, column_names(path), columns, relation)
    table = Table()
    for record in records(path):
        if isinstance(record, BadLine):
            table.bad.append(record)
            continue
        try:
            _add(table, record, layout)
        except BadRecordError as error:
            table.bad.append(BadLine(record.place, str(error)))
    return table


def _layout(path: Path, names: list[str], columns: Columns | None, relation: str | None) -> Layout:
    check_roles(columns, TRIPLE_COLUMNS)
    found = resolved_columns(path, names, TRIPLE_COLUMNS, given=columns)
    roles = {role: each[0] for role, each in found.items()}
    has_relation = "relation" in roles or relation is not None
    if {"head", "tail"} <= roles.keys() and has_relation:
        chosen = None if relation is not None else roles["relation"]
        return Layout(
            roles["head"], roles["tail"], roles.get("head_id"), roles.get("tail_id"), chosen,
            relation or "", _xrefs(names),
        )  # fmt: skip
    pairs = labelled_ids(names)
    if len(pairs) < 2:
        raise InputFileError(
            path,
            f"no columns of a fact: found {', '.join(names)}; expected head, relation, tail, or "
            "two pairs such as disease_id, disease_label, symptom_id, symptom_label; name them in "
            "the corpus card: columns: {head: NAME, tail: NAME} and relation: has_symptom",
        )
    (head_id, head), (tail_id, tail) = pairs[:2]
    return Layout(
        head, tail, head_id, tail_id, None, relation or _stem_relation(tail_id), _xrefs(names)
    )


def _stem_relation(tail_id: str) -> str:
    stem = plain(tail_id).removesuffix("_id")
    return STEM_RELATIONS.get(stem, f"has_{stem}")


def _xrefs(names: list[str]) -> str | None:
    return known(names, {"xrefs": ("xrefs", "xref")}).get("xrefs")


def _add(table: Table, record: Record, layout: Layout) -> None:
    head = _node(table, record, layout.head_id, layout.head)
    if head is None:
        raise BadRecordError(f"no {layout.head!r}")
    tail = _node(table, record, layout.tail_id, layout.tail)
    relation = text_of(record, layout.relation) if layout.relation else layout.name
    if tail is not None and not relation:
        raise BadRecordError(f"no {layout.relation!r}")
    _name(table, *head, record.place)
    if xrefs := tuple(_listed(text_of(record, layout.xrefs))):
        table.xrefs.setdefault(head[0], xrefs)
    if tail is None:
        return
    _name(table, *tail, record.place)
    fact = (head[0], relation, tail[0])
    if fact in table.facts:
        table.facts[fact].rows += 1
    else:
        table.facts[fact] = Support(record.place)


def _node(
    table: Table, record: Record, id_column: str | None, label_column: str
) -> tuple[str, str] | None:
    """Give a node's id and label; each stands in for the other. None where both are empty."""
    name, label = text_of(record, id_column), text_of(record, label_column)
    if name:
        table.ids.add(name)
    return (name or label, label or name) if name or label else None


def _name(table: Table, name: str, label: str, place: str) -> None:
    table.labels.setdefault(name, label)
    table.places.setdefault(name, place)


def _listed(cell: str) -> Iterator[str]:
    separator = "|" if "|" in cell else ";" if ";" in cell else ","
    return (part.strip() for part in cell.split(separator) if part.strip())
