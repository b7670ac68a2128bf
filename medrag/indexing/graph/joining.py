"""Concepts of several ontologies that are one: by cross-references, shared CUIs, and names."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

_CUI = re.compile(r"C\d{7}")
_IRI = re.compile(r".*[/#]([A-Za-z]+)[_:](\w+)")
_SAME = {
    "UMLS_CUI": "UMLS", "CUI": "UMLS", "UMLSCUI": "UMLS", "MSH": "MESH", "NCI": "NCIT",
    "NCI_THESAURUS": "NCIT", "ORPHANET": "ORPHA", "MIM": "OMIM",
}  # fmt: skip


def reference(text: str) -> tuple[str, str]:
    """Read an id or cross-reference as the name of an ontology and a code.

    "UMLS_CUI:C0018923", "UMLS:C0018923" and "C0018923" are the same.
    """
    written = text.strip()
    if match := _IRI.fullmatch(written):
        written = f"{match[1]}:{match[2]}"
    if _CUI.fullmatch(written):
        return "UMLS", written
    prefix, colon, code = written.partition(":")
    if not colon:
        return re.sub(r"[\d_-].*", "", written).upper(), written
    prefix = prefix.strip().upper()
    if prefix.startswith("SNOMED"):
        prefix = "SNOMEDCT"
    return _SAME.get(prefix, prefix), code.strip()


def joined_by_reference(
    ids: Mapping[int, str], references: Mapping[int, Sequence[str]]
) -> dict[int, int]:
    """Find concepts that are one, by what their terms refer to.

    A reference to the id of another concept joins the two, and so does a CUI that both refer to.
    Two concepts of one ontology are never one: a reference that several of them share, as to a
    class of ICD, joins none of them.

    Args:
        ids: of concepts by number; those without one may be missing.
        references: of concepts by number.

    Returns:
        The number that stands for each concept that is joined to one of a lower number.
    """
    own = {node: reference(each) for node, each in ids.items()}
    named: dict[tuple[str, str], set[int]] = defaultdict(set)
    for node, each in own.items():
        named[each].add(node)
    groups: dict[tuple[str, str], set[int]] = defaultdict(set)
    for node, listed in references.items():
        for each in map(reference, listed):
            if each in named or each[0] == "UMLS":
                groups[each] |= {node} | named.get(each, set())
    clusters: dict[int, tuple[int, set[int]]] = {}
    for each in sorted(groups, key=lambda each: (each not in named, each)):
        members = _alone(groups[each], own)
        for other in members[1:]:
            _join(clusters, members[0], other, own)
    return {node: root for node, (root, _) in clusters.items() if node != root}


def joined_by_name(
    keys: NDArray[np.uint64], nodes: NDArray[np.int64], without_id: Sequence[int]
) -> dict[int, int]:
    """Let a concept that has only a name stand for the one of that name that has an id.

    Args:
        keys: of the names of concepts, sorted; equal ones for equal names.
        nodes: (len(keys),) whose names these are.
        without_id: concepts, none of them given more than one name.
    """
    bare = set(without_id)
    pairs = zip(nodes.tolist(), keys.tolist(), strict=True)
    own = {node: key for node, key in pairs if node in bare}
    joined = {}
    for node, key in own.items():
        first = int(np.searchsorted(keys, np.uint64(key), side="left"))
        stop = int(np.searchsorted(keys, np.uint64(key), side="right"))
        others = {other for other in nodes[first:stop].tolist() if other not in bare}
        if len(others) == 1:
            joined[node] = others.pop()
    return joined


def _alone(members: set[int], own: Mapping[int, tuple[str, str]]) -> list[int]:
    """Keep the concepts of which there is only one of their ontology."""
    of_ontology: dict[object, list[int]] = defaultdict(list)
    for node in members:
        of_ontology[own[node][0] if node in own else node].append(node)
    return sorted(nodes[0] for nodes in of_ontology.values() if len(nodes) == 1)


def _join(
    clusters: dict[int, tuple[int, set[int]]],
    one: int,
    other: int,
    own: Mapping[int, tuple[str, str]],
) -> None:
    """Make two clusters one, unless it would hold two concepts of one ontology."""
    first, second = (clusters.get(node, (node, {node}))[1] for node in (one, other))
    if first is second or first & second:
        return
    ontologies = [own[node][0] for node in (*first, *second) if node in own]
    if len(set(ontologies)) < len(ontologies):
        return
    whole = first | second
    clusters.update(dict.fromkeys(whole, (min(whole), whole)))
