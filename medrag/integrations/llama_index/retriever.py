"""Retrieval by medrag, as LlamaIndex's engines ask for it."""

import asyncio
import threading
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

from medrag.config.index import Index
from medrag.config.pipelines import assembled, planned_pipeline
from medrag.integrations.llama_index.core import core
from medrag.integrations.llama_index.filters import narrowed
from medrag.integrations.llama_index.nodes import Showing, node_of
from medrag.pipeline import Pipeline
from medrag.records import KINDS, Question

# Kinds that are nothing without their picture.
SHOWN = ("page", "figure", "image")
_K = 10
_DEPTH = 20
_MAX_PIXELS = 1024 * 1024


@cache
def retriever_class() -> Any:
    """Make the class `MedragRetriever`, whose base is LlamaIndex's."""
    base = core("retrievers").BaseRetriever

    class MedragRetriever(base):  # type: ignore[misc, valid-type]
        __doc__ = _ABOUT

        def __init__(
            self,
            source: Pipeline | Index,
            *,
            callback_manager: Any = None,
            verbose: bool = False,
            **options: Any,
        ) -> None:
            super().__init__(callback_manager=callback_manager, verbose=verbose)
            self.retrieval = Retrieval(source, **options)

        def _retrieve(self, query_bundle: Any) -> list[Any]:
            return self.retrieval.nodes(query_bundle)

        async def _aretrieve(self, query_bundle: Any) -> list[Any]:
            return await asyncio.to_thread(self.retrieval.nodes, query_bundle)

    # As which it is found when it is unpickled, and named in traces.
    MedragRetriever.__module__ = "medrag.integrations.llama_index"
    MedragRetriever.__qualname__ = "MedragRetriever"
    return MedragRetriever


_ABOUT = """Retrieve from an index or a pipeline of medrag.

    A text passage, table, term, fact, report or case becomes a `TextNode`; a page, figure or image
    an `ImageNode` with its first picture (of "n_pictures"): the path of a file on this machine
    where it is a common one (PNG, JPEG, WebP) and small enough, otherwise pixels, drawn from the
    PDF, DICOM or NIfTI. A picture that is not on this machine leaves a `TextNode`. The words of an
    `ImageNode` reach a model before its picture; `CitationQueryEngine` counts the two as two
    sources, both with the metadata of the passage. The id of a node is that of its passage, and
    stands again in `metadata["passage_id"]`, which engines keep that cut nodes.

    `metadata` says where a passage stands: "document", "document_sha256", "corpus", "page" (from
    1) and "boxes" on it (x0, y0, x1, y1: points from the top left of the page, or pixels of a
    picture without pages), "regions" (all pages and boxes), "kind", "domain", "licence", "rank",
    and "channels" (rank and score in each). A model is told kind, title, document and page. No
    subject, study or time of a study is in it.

    The engines of LlamaIndex show a model the evidence and the words of a query, but not the
    query's own picture. For questions about it, ask a `Pipeline` with a `LlamaIndexGenerator`.

    A query's `image_path` is looked for by its pixels, and the guard keeps that same picture out.
    `custom_embedding_strs`, of transformed queries, are asked instead of the text. A precomputed
    `embedding` is of no channel here, and not used.

    Args:
        source: a `Pipeline` (its retriever, selector, k, guard and `allow` hold), or an `Index`,
            of which all channels are asked.
        k: nodes at most. None: what the pipeline selects; 10 of an index.
        filters: `MetadataFilters` on "kind", "domain" and "corpus", by == and "in", joined by
            "and"; they narrow what a pipeline allows.
        guard: keep out the question's own picture, subject and study. None: as the pipeline does.
        subject, study: of the patient that is asked about, for the guard; raw or pseudonyms.
        shown: kinds that become an `ImageNode` where they have a picture; add "report", "case" or
            "table" to show theirs.
        max_pixels: of one picture; larger ones are made smaller.
        callback_manager, verbose: as of every retriever of LlamaIndex.

    Raises:
        TypeError: for an unknown keyword, or a source that is neither.
        ValueError: if a number is out of range, a kind unknown, or a filter cannot be kept to.
        MedragError: on retrieval, if a picture of a query cannot be read.
    """


class Retrieval:
    """What `MedragRetriever` does; see there for the arguments."""

    def __init__(
        self,
        source: Pipeline | Index,
        *,
        k: int | None = None,
        filters: Any = None,
        guard: bool | None = None,
        subject: str | None = None,
        study: str | None = None,
        shown: Collection[str] = SHOWN,
        max_pixels: int = _MAX_PIXELS,
    ) -> None:
        if k is not None and k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        if max_pixels < 1:
            raise ValueError(f"max_pixels must be at least 1, got {max_pixels}")
        if unknown := sorted(set(shown) - set(KINDS)):
            raise ValueError(f"shown: {unknown[0]!r} is no kind of passage: {', '.join(KINDS)}")
        self.pipeline = _pipeline(source, k)
        self.k = k
        self.allow = narrowed(self.pipeline.allow, filters)
        self.guard = guard
        self.subject = subject
        self.study = study
        self.showing = Showing(frozenset(shown), max_pixels)
        # Channels are built with the first question; neither models nor MuPDF are for two threads.
        self._alone = threading.Lock()

    def nodes(self, bundle: Any) -> list[Any]:
        """Retrieve and select for a `QueryBundle`, best first; without words or picture nothing."""
        question = Question(
            text="\n".join(bundle.embedding_strs),
            images=() if bundle.image_path is None else (str(bundle.image_path),),
            subject=self.subject,
            study=self.study,
        )
        if self.allow is None or not (question.text.strip() or question.images):
            return []
        with self._alone:
            ready = self.pipeline.prepared([question])
            (selected,) = self.pipeline.select(ready, allow=self.allow, guard=self.guard)
            kept = selected.selection.kept[: self.k]
            return [node_of(hit, self.pipeline.resolve, self.showing) for hit in kept]


def _pipeline(source: Pipeline | Index, k: int | None) -> Pipeline:
    if isinstance(source, Pipeline):
        return source
    if not isinstance(source, Index):
        raise TypeError(
            f"a retriever needs a Pipeline or an Index of medrag, got {type(source).__name__}: "
            "open_index(NAME), or load_pipeline(RECIPE)"
        )
    n = _K if k is None else k
    spec = {
        "select": {"kind": "top_k", "k": n},
        "answer": {"kind": "one_pass", "generator": {"kind": "extractive"}},
    }
    plan = planned_pipeline(spec, Path("MedragRetriever"))
    return assembled(plan, source, k=max(n, _DEPTH))
