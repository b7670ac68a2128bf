"""LlamaIndex's metadata filters as a filter of medrag; what cannot be kept to is refused."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from medrag.integrations.llama_index.core import core
from medrag.records import KINDS, Filter

# Keys of a node's metadata to the sets of a filter.
_SETS = {"kind": "kinds", "domain": "domains", "corpus": "corpora"}
_TAKEN = "a filter says == or 'in' of kind, domain and corpus"


def narrowed(allow: Filter, filters: Any) -> Filter | None:
    """Add metadata filters to what may be seen already; they never allow more.

    Args:
        filters: LlamaIndex's `MetadataFilters`, or None.

    Returns:
        None where nothing fits all of them.

    Raises:
        ValueError: for a key, an operator, a condition or a value that medrag cannot keep to.
    """
    for key, names in _wanted(filters):
        held = getattr(allow, _SETS[key])
        left = names & held if held else names
        if not left:
            return None
        named: Mapping[str, Any] = {_SETS[key]: left}
        allow = replace(allow, **named)
    return allow


def _wanted(filters: Any) -> Iterator[tuple[str, frozenset[str]]]:
    """Give what each filter wants, in order; all of them must hold."""
    if filters is None:
        return
    types = core("vector_stores.types")
    if not isinstance(filters, types.MetadataFilters):
        raise ValueError(f"filters must be MetadataFilters, got {type(filters).__name__}")
    conditions = (types.FilterCondition.AND, None)
    # Of a single filter it is the same, whether it or all of them must hold.
    either = filters.condition == types.FilterCondition.OR and len(filters.filters) == 1
    if filters.condition not in conditions and not either:
        raise ValueError(
            f"filters joined by {filters.condition.value!r} cannot be kept to; join them by 'and', "
            "and give several values of one key by 'in'"
        )
    for each in filters.filters:
        if isinstance(each, types.MetadataFilters):
            yield from _wanted(each)
        else:
            yield each.key, _names(each, types.FilterOperator)


def _names(wanted: Any, operators: Any) -> frozenset[str]:
    if wanted.key not in _SETS:
        raise ValueError(f"a filter on {wanted.key!r} cannot be kept to; {_TAKEN}")
    if wanted.operator not in (operators.EQ, operators.IN):
        raise ValueError(
            f"the filter {wanted.key!r} {wanted.operator.value!r} cannot be kept to; {_TAKEN}"
        )
    several = wanted.operator == operators.IN
    values = wanted.value if several else [wanted.value]
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        expected = "a list of texts" if several else "a text"
        raise ValueError(f"the filter on {wanted.key!r} holds {wanted.value!r}, not {expected}")
    unknown = sorted(set(values) - set(KINDS)) if wanted.key == "kind" else []
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no kind of passage; they are {', '.join(KINDS)}")
    return frozenset(values)
