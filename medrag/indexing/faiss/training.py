"""Make a FAISS index of the vectors in the segments: trained on some of them, filled in pieces."""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medrag.errors import IndexFormatError, RecipeError
from medrag.extras import Library
from medrag.indexing import durable
from medrag.indexing.commands import reread
from medrag.indexing.faiss.clustering import POINTS_NEEDED, train
from medrag.indexing.faiss.file import (
    FaissFile,
    about_path,
    check_digest,
    index_path,
    library,
    opened,
    read_faiss_file,
    write_faiss_file,
)
from medrag.indexing.storage import Block, Store

# Vectors that are held at once, in bytes: those that an index is trained on, and those to be added.
TRAINING_BYTES = 1 << 30
_PIECE_BYTES = 64 << 20
# FAISS takes no more points for each cluster.
_POINTS_TAKEN = 256
# An index is trained again when it has grown so many times larger.
_OUTGROWN = 4

_LISTS = re.compile(r"\bIVF(\d+)")
_UNFIT = {
    "IDMap": "numbers the vectors itself; leave IDMap out",
    "NSG": "cannot be extended; use HNSW",
}
# Links of each vector in a graph, by name; FAISS ends the process at fewer than two.
_LINKS = re.compile(r"\bHNSW(\d+)|_HNSW(\d+)")
_LINKS_LEAST, _LINKS_MOST = 2, 1024
# Bits of each code of a quantiser, 8 where it does not say: FAISS trains 2 to the power of that
# many entries.
_BITS = re.compile(r"Q\d+(?:x\d+)*x(\d+)")
_BITS_USUAL, _BITS_MOST = 8, 16
# Characters of a factory; from some 10,000 on FAISS ends the process.
_LONGEST = 200
_LOGGER = logging.getLogger(__name__)


def by_segment(store: Store, channel: str) -> dict[str, Block]:
    """Map the vectors of a channel by the name of their segment; none without vectors."""
    blocks = (block for block in store.vectors(channel) if len(block.rows))
    return {store.entries[store.place_of(int(b.rows[0])).segment].name: b for b in blocks}


def make(*, store: Store, channel: str, factory: str, folder: Path, previous: Path | None) -> None:
    """Write the FAISS index of a channel into a folder.

    What an earlier call wrote is extended; where segments are gone that it held, only its training
    is kept.

    Raises:
        RecipeError: if FAISS cannot make what the factory string says.
        IndexFormatError: if a vector is not finite.
    """
    blocks = by_segment(store, channel)
    sizes = {name: len(block.values) for name, block in blocks.items()}
    n = sum(sizes.values())
    if n == 0:
        empty = FaissFile(factory, factory, store.channel(channel).d or 1)
        write_faiss_file(None, empty, folder, channel)
        return
    old = _usable(previous, channel, factory, n)
    if old is None or previous is None:
        index, file = _trained(blocks, factory, n)
    elif dict(old.segments) == sizes:
        names = [path(folder, channel).name for path in (index_path, about_path)]
        durable.taken_over(names, previous, folder)
        return
    else:
        index, file = opened(previous, channel, old, writable=True), old
        if not set(old.segments) <= set(sizes.items()):
            index.reset()
            file = replace(old, longest=0.0, segments=())
    write_faiss_file(index, _filled(index, file, blocks), folder, channel)


def check_factory(factory: str) -> None:
    """Refuse what FAISS would take, and then end the process, its memory, or every ranking.

    Raises:
        ValueError: if the string is empty, too long or not in ASCII, a number of it is 0, a graph
            has fewer links than FAISS can build or more than is sensible, a codebook cannot be
            held, or vectors could not be added under their positions.
    """
    if not factory.strip():
        raise ValueError("the factory is empty; leave it out for 'Flat'")
    # FAISS takes it apart by regular expressions, which end the process on a long one.
    if len(factory) > _LONGEST or not factory.isascii():
        raise ValueError(
            f"factory {factory[:40]!r}... has {len(factory)} characters, expected {_LONGEST} at "
            "most, all ASCII; such as 'IVF1024,PQ64'"
        )
    if any(int(number) == 0 for number in re.findall(r"\d+", factory)):
        raise ValueError(
            f"factory {factory!r}: a number of it is 0, which leaves nothing to search"
        )
    for links in _LINKS.finditer(factory):
        m = int(links[1] or links[2])
        if not _LINKS_LEAST <= m <= _LINKS_MOST:
            raise ValueError(
                f"factory {factory!r}: HNSW takes {_LINKS_LEAST} to {_LINKS_MOST} links, got {m}; "
                "such as HNSW32"
            )
    for bits in _BITS.findall(factory):
        if int(bits) > _BITS_MOST:
            raise ValueError(
                f"factory {factory!r}: a code has {_BITS_MOST} bits at most, got {bits}; such as "
                "PQ64x8"
            )
    for name, problem in _UNFIT.items():
        if name in factory:
            raise ValueError(f"factory {factory!r}: {name} {problem}")


def _usable(previous: Path | None, channel: str, factory: str, n: int) -> FaissFile | None:
    """Read what an earlier call wrote, if its training still serves."""
    if previous is None:
        return None
    try:
        old = read_faiss_file(previous, channel)
        check_digest(previous, channel, old)
    except IndexFormatError as error:
        _LOGGER.warning("%s. It is made anew now", error)
        return None
    outgrown = 0 < old.n_trained * _OUTGROWN <= n
    return None if outgrown or old.n == 0 or old.factory != factory else old


def _trained(blocks: Mapping[str, Block], factory: str, n: int) -> tuple[Library, FaissFile]:
    """Make an empty index; `Flat` where there are too few vectors for its codebooks."""
    d = next(iter(blocks.values())).values.shape[1]
    built = _fitting(factory, n, d)
    index = _made(built, d, factory)
    if index.is_trained:
        return index, FaissFile(factory, built, d)
    sample = _sample(list(blocks.values()), built, d)
    try:
        train(library(), index, sample, factory)
    except (RuntimeError, MemoryError) as error:
        if len(sample) >= POINTS_NEEDED * _entries(built) or isinstance(error, MemoryError):
            raise _refused(factory, d, error) from error
        _LOGGER.warning(
            "%d vectors are too few to train %r (%s): they are searched as 'Flat' until the "
            "index has grown", n, factory, _reason(error),
        )  # fmt: skip
        built, index = "Flat", _made("Flat", d, factory)
    return index, FaissFile(factory, built, d, n_trained=n)


def _made(built: str, d: int, factory: str) -> Library:
    """Make an empty index that ranks by inner product."""
    faiss = library()
    try:
        check_factory(factory)
    except ValueError as error:
        raise RecipeError(f"faiss {error}") from error
    with _refusals(factory, d):
        return faiss.index_factory(d, built, faiss.METRIC_INNER_PRODUCT)


def _fitting(factory: str, n: int, d: int) -> str:
    """Lower the number of lists to what the vectors, and the memory, can train."""
    found = _LISTS.search(factory)
    if found is None:
        return factory
    points = min(n, TRAINING_BYTES // (4 * d))
    most = max(1, points // POINTS_NEEDED)
    if int(found[1]) <= most:
        return factory
    built = f"{factory[: found.start()]}IVF{most}{factory[found.end() :]}"
    _LOGGER.warning(
        "%r needs %d vectors to train, and %d of %d are taken: %r is made instead",
        factory, int(found[1]) * POINTS_NEEDED, points, n, built,
    )  # fmt: skip
    return built


def _entries(factory: str) -> int:
    """Count the entries of the largest codebook that an index could have."""
    return int(2 ** max([_BITS_USUAL, *map(int, _BITS.findall(factory))]))


def _sample(blocks: list[Block], built: str, d: int) -> NDArray[np.float32]:
    """Copy as many vectors as training takes, evenly drawn, out of the memory maps."""
    sizes = np.array([len(block.values) for block in blocks])
    lists = _LISTS.search(built)
    wanted = _POINTS_TAKEN * max(int(lists[1]) if lists else 0, _entries(built))
    size = min(int(sizes.sum()), TRAINING_BYTES // (4 * d), wanted)
    draw = np.random.default_rng(0)
    chosen = np.sort(draw.choice(int(sizes.sum()), size, replace=False, shuffle=False))
    ends = np.cumsum(sizes)
    parts = np.split(chosen, np.searchsorted(chosen, ends[:-1]))
    starts = ends - sizes
    return np.concatenate(
        [b.values[part - start] for b, part, start in zip(blocks, parts, starts, strict=True)]
    )


def _filled(index: Library, file: FaissFile, blocks: Mapping[str, Block]) -> FaissFile:
    """Add the vectors of the segments that an index lacks."""
    held = dict(file.segments)
    longest = file.longest
    for name, block in blocks.items():
        if name in held:
            continue
        for piece in _pieces(block.values):
            norm = float(np.sqrt(np.einsum("ij,ij->i", piece, piece).max()))
            if not np.isfinite(norm):
                raise IndexFormatError(
                    f"a vector of segment {name} is not finite; it is damaged: {reread()}"
                )
            longest = max(longest, norm)
            with _refusals(file.factory, file.d):
                index.add(piece)
        held[name] = len(block.values)
    return replace(file, n=int(index.ntotal), longest=longest, segments=tuple(held.items()))


def _pieces(values: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    step = max(1, _PIECE_BYTES // (4 * values.shape[1]))
    for start in range(0, len(values), step):
        yield np.ascontiguousarray(values[start : start + step], dtype=np.float32)


@contextmanager
def _refusals(factory: str, d: int) -> Iterator[None]:
    """Tell in words what FAISS refuses to do."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        raise _refused(factory, d, error) from error


def _refused(factory: str, d: int, error: RuntimeError | MemoryError) -> RecipeError:
    return RecipeError(
        f"faiss factory {factory!r}: FAISS cannot make it for vectors of {d} numbers and inner "
        f"products ({_reason(error)}); such as 'Flat', 'IVF1024,Flat', 'IVF1024,PQ64' or 'HNSW32' "
        "it can"
    )


def _reason(error: RuntimeError | MemoryError) -> str:
    """Leave out the place in FAISS's own sources."""
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    told = str(error)
    # FAISS puts its own source file and line in front.
    return re.sub(r"^Error in .*? at \S+:\d+: (Error: )?", "", told).strip() or told
