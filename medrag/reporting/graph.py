"""The facts that an answer rests on, drawn as a graph: what the question names, and paths from it.

Two drawings of the same, of which a page shows the one that fits: columns from left to right, and a
tree from top to bottom for a narrow screen, or where columns would be a tangle. Both are inline
SVG, coloured by the page's style.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from medrag.language import LANGUAGES, mention
from medrag.records import Answer, Passage
from medrag.reporting.graph_drawing import drawn_columns, drawn_tree
from medrag.reporting.graph_layout import Edge, Node
from medrag.reporting.markup import Html, element

_MOST = 30  # edges drawn
_NOT = "not_"
_KIND_OF = "Kind of: "


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes by the key that edges name them by, in the order of their first edge."""

    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]
    left_out: int = 0


def evidence_graph(answer: Answer, anchor: str) -> Html | None:
    """Draw the facts and the parents of terms among the kept evidence; None if there is none.

    Args:
        anchor: what the ids of the citations' cards begin with; a marker leads to its card.
    """
    graph = graph_of(answer)
    # Beside "no evidence found", facts that were read would pass for an answer.
    if not graph.edges or (answer.abstained and not answer.citations):
        return None
    told = "; ".join(map(_told, graph.edges))
    wide = drawn_columns(graph.nodes, graph.edges, anchor=anchor, told=told)
    kind = "graph tree narrow" if wide is not None else "graph tree"
    tree = drawn_tree(graph.nodes, graph.edges, anchor=anchor, told=told, kind=kind)
    return element("div", wide or "", tree, _legend(graph), class_="drawn")


def graph_of(answer: Answer) -> Graph:
    """Gather nodes and edges: cited ones first, by marker, then the others by rank; at most 30.

    An edge that is not cited counts where it can be walked to from a cited one, or from what the
    question names; all count where there is neither.
    """
    markers: dict[str, int] = {}
    for citation in answer.citations:
        markers.setdefault(citation.passage.id, citation.marker)
    cited = [citation.passage for citation in answer.citations]
    read = [hit.passage for hit in answer.selection.kept if hit.passage.id not in markers]
    passages = list({each.id: each for each in (*cited, *read)}.values())
    edges = _merged(
        edge for passage in passages for edge in _edges(passage, passages, markers.get(passage.id))
    )
    if not any(edge.of_fact or edge.markers for edge in edges):
        return Graph({}, ())
    nodes = _nodes(passages, edges, answer, markers)
    edges = _near(edges, nodes)
    drawn = tuple(edges[:_MOST])
    used = dict.fromkeys(end for edge in drawn for end in (edge.head, edge.tail))
    return Graph({key: nodes[key] for key in used}, drawn, len(edges) - len(drawn))


def readable(relation: str) -> str:
    """Give a relation as words: "has_finding" as "has finding"."""
    return " ".join(relation.replace("_", " ").split())


def node_key(name: str) -> str:
    """Give the form in which names of one concept are the same."""
    return " ".join(name.casefold().split())


def _edges(
    passage: Passage, passages: Sequence[Passage], marker: int | None
) -> Iterator[tuple[Edge, str, str]]:
    """Give the edges of a passage, each with the names of its ends."""
    fields = passage.fields
    markers = (marker,) if marker is not None else ()
    if passage.kind == "fact":
        head, tail = (" ".join(str(fields.get(end) or "").split()) for end in ("head", "tail"))
        relation = str(fields.get("relation") or "")
        if head and tail:
            state = str(fields.get("polarity") or "")
            denied = relation.startswith(_NOT) or state == "absent"
            edge = Edge(
                node_key(head), readable(relation), node_key(tail), markers, denied,
                state == "uncertain", of_fact=True,
            )  # fmt: skip
            yield edge, head, tail
    if passage.kind == "term" and fields.get("name"):
        name = str(fields["name"])
        for parent in _parents(passage, passages):
            yield Edge(node_key(name), "is a", node_key(parent), markers), name, parent


def _parents(term: Passage, passages: Sequence[Passage]) -> list[str]:
    """Name the parents of a term: as other evidence does, or as its own text lists them."""
    given = term.fields.get("parents")
    ids = [str(each) for each in given] if isinstance(given, list | tuple) else []
    names = {str(p.fields["id"]): str(p.fields["name"]) for p in passages
             if p.kind == "term" and p.fields.get("id") and p.fields.get("name")}  # fmt: skip
    for passage in passages:
        for end in ("head", "tail"):
            if passage.fields.get(f"{end}_id") and passage.fields.get(end):
                names.setdefault(str(passage.fields[f"{end}_id"]), str(passage.fields[end]))
    _, listed, rest = term.text.rpartition(_KIND_OF)
    own = [each.strip() for each in rest.rstrip(". ").split(";")] if listed else []
    if len(own) == len(ids):
        names = {**dict(zip(ids, own, strict=True)), **names}
    return [names[each] for each in ids if names.get(each)]


def _merged(found: Iterator[tuple[Edge, str, str]]) -> list[Edge]:
    """Draw what several passages say once, with the markers of all."""
    edges: dict[tuple[str, str, str], Edge] = {}
    for edge, head, tail in found:
        relation = "is a" if edge.relation == "is a" else edge.relation
        key = (edge.head, relation, edge.tail)
        known = edges.get(key, replace(edge, names=(head, tail)))
        edges[key] = replace(
            known,
            markers=tuple(dict.fromkeys((*known.markers, *edge.markers))),
            of_fact=known.of_fact or edge.of_fact,
        )
    return list(edges.values())


def _nodes(
    passages: Sequence[Passage], edges: Sequence[Edge], answer: Answer, markers: Mapping[str, int]
) -> dict[str, Node]:
    """Name each node as its first edge does; those that the question names are marked."""
    question = "\n".join((answer.question.text, *answer.question.options))
    terms = {
        node_key(str(each.fields["name"])): each
        for each in reversed(passages)
        if each.kind == "term" and each.fields.get("name")
    }
    nodes: dict[str, Node] = {}
    for edge in edges:
        for key, name in zip((edge.head, edge.tail), edge.names, strict=True):
            if key not in nodes:
                term = terms.get(key)
                asked = any(_names(question, each) for each in (name, *_synonyms(term)))
                nodes[key] = Node(name, asked, markers.get(term.id) if term is not None else None)
    return nodes


def _names(question: str, name: str) -> bool:
    return mention(question, name, "en") != "absent"


def _synonyms(term: Passage | None) -> list[str]:
    given = term.fields.get("synonyms") if term is not None else None
    language = term.source.language if term is not None else "en"
    return (
        [str(each) for each in given] if isinstance(given, list) and language in LANGUAGES else []
    )


def _near(edges: Sequence[Edge], nodes: Mapping[str, Node]) -> list[Edge]:
    """Keep the edges that can be walked to, cited ones first."""
    reached = {end for edge in edges if edge.markers for end in (edge.head, edge.tail)}
    reached |= {key for key, node in nodes.items() if node.asked}
    first = frozenset(reached)
    if reached:
        more = True
        while more:
            before = len(reached)
            reached |= {
                end
                for edge in edges
                if edge.of_fact and (edge.head in reached or edge.tail in reached)
                for end in (edge.head, edge.tail)
            }
            more = len(reached) > before
        # Of what a term is a kind matters where the path leads up from it, not what else is one.
        edges = [
            edge
            for edge in edges
            if edge.markers or (edge.head in (reached if edge.of_fact else first))
        ]
    # A sort is stable: within both groups the order is that of markers, or of ranks.
    return sorted(edges, key=lambda edge: not edge.markers)


def _told(edge: Edge) -> str:
    head, tail = edge.names
    marked = "".join(f" [{marker}]" for marker in edge.markers)
    unsure = " (uncertain)" if edge.uncertain else ""
    return f"{head} {edge.relation} {tail}{unsure}{marked}"


def _legend(graph: Graph) -> Html:
    told = []
    if any(node.asked for node in graph.nodes.values()):
        told.append("filled: named in the question")
    if any(edge.markers for edge in graph.edges):
        told.append("bold: cited")
    if any(edge.denied for edge in graph.edges):
        told.append("dashed: denied")
    if any(edge.uncertain for edge in graph.edges):
        told.append("dotted: uncertain")
    if graph.left_out:
        told.append(f"{graph.left_out} more not drawn")
    return element("p", "; ".join(told), class_="legend") if told else Html("")
