"""Channels of an index: which a build may make, and vectors for segments that lack them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from medrag.build.plan import ChannelPlan
from medrag.build.shard import Identity, identity_of
from medrag.errors import RecipeError
from medrag.images import resolved
from medrag.indexing import durable
from medrag.indexing.manifest import ChannelEntry, SegmentEntry, live_rows
from medrag.indexing.segment import FOLDER, file_sums
from medrag.indexing.storage import Store
from medrag.indexing.vectors import VectorsWriter, channel_folder
from medrag.indexing.writing import IndexWriter
from medrag.protocols import Encoder
from medrag.records import Passage

KINDS = ("lexical", "dense", "sparse", "graph")
ENCODED = ("dense", "sparse")
_NAME = re.compile("[A-Za-z0-9_]+(-[A-Za-z0-9_]+)*")


@dataclass(frozen=True, slots=True)
class AddedVectors:
    """Passages that got vectors, and whose."""

    n: int
    identity: Identity


def check_channels(
    held: Mapping[str, ChannelEntry], asked: Mapping[str, ChannelPlan], folder: Path
) -> None:
    """Refuse channels that cannot be built, or that contradict those of the index.

    Raises:
        RecipeError: if so; says which and why.
    """
    for name, plan in asked.items():
        kind = plan.spec.get("kind")
        if not _NAME.fullmatch(name):
            raise RecipeError(f"a channel's name is letters, digits, _ and -, got {name!r}")
        if kind not in KINDS:
            raise RecipeError(f"channel {name!r} has kind {kind!r}; expected one of {KINDS}")
        if (kind in ENCODED) != (plan.encoder is not None):
            raise RecipeError(
                f"channel {name!r} of kind {kind!r}: only those of {ENCODED} have an encoder"
            )
        if name in held and held[name].kind != kind:
            raise RecipeError(
                f"channel {name!r} of {folder} is of kind {held[name].kind!r}, not {kind!r}; "
                "give the new one another name"
            )
    for name, entry in held.items():
        if entry.has_vectors and name not in asked:
            raise RecipeError(
                f"{folder} has the channel {name!r}, which this build was not given; give it as "
                "well, so that new passages get their vectors"
            )


def add_vectors(
    writer: IndexWriter,
    channel: str,
    segment: SegmentEntry,
    encoder: Encoder,
    advance: Callable[[], None],
) -> AddedVectors:
    """Encode the live passages of a finished segment, without reading their files again.

    A passage whose picture is not where it was is left without vectors; its text is untouched.
    """
    store = Store(folder=writer.folder, manifest=writer.manifest)
    place = writer.manifest.segments.index(segment)
    unfinished = writer.new_folder(f"{segment.serial}-{channel}")
    vectors = VectorsWriter(folder=unfinished, encoder=encoder)
    for row, passage in store.segments[place].passages(live_rows(segment)):
        if encoder.encodes(passage):
            there = resolved(passage, store.corpus_root(passage.source.corpus))
            if _pictures_exist(there):
                vectors.add(row, there)
        advance()
    n = vectors.n
    identity = identity_of(encoder, vectors.close())
    durable.sync_tree(unfinished)
    target = channel_folder(writer.folder / FOLDER / segment.name, channel)
    sums = {f"{target.name}/{name}": each for name, each in file_sums(unfinished).items()}
    durable.move(unfinished, target)
    writer.replace_segment(replace(segment, sums={**segment.sums, **sums}))
    return AddedVectors(n, identity)


def _pictures_exist(passage: Passage) -> bool:
    return all(Path(image.path).is_file() for image in passage.images)
