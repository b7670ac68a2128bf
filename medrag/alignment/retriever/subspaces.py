"""Several learners for one head, each with a part of the space and a part of the pairs."""

import numpy as np
from numpy.typing import NDArray

from medrag.encoding.rows import Rows, unit

_ROUNDS = 50


def slices(d: int, n_learners: int) -> list[slice]:
    """Divide d numbers of a vector among learners, as evenly as can be, the first get more.

    Raises:
        ValueError: if there are not as many numbers as learners.
    """
    if not 1 <= n_learners <= d:
        raise ValueError(f"n_learners must be 1 to {d}, got {n_learners}")
    ends = np.cumsum([len(part) for part in np.array_split(np.arange(d), n_learners)]).tolist()
    return [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def assigned(vectors: Rows, n_learners: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Assign pairs to learners by where they lie: spherical k-means of unit rows.

    The first centre is drawn; each further one is the row that is least like those there are. A
    centre that loses all rows takes the one that is least like its own.

    Args:
        vectors: (n, d) of pairs in the space as it is now.

    Returns:
        (n,) numbers of learners from 0; every learner has a pair while there are as many.

    Source:
        Sanakoyeu et al., CVPR 2019 (divide and conquer the embedding space): pairs are divided by
        k-means, each learner has a part of the space and of the pairs. Adiga, Dolz & Lombaert,
        "Attention-based dynamic subspace learners for medical image analysis", JBHI 2022: learners
        are added while training goes on. Here learners are linear, over frozen vectors, and look at
        nothing by attention.
    """
    n = len(vectors)
    n_learners = min(n_learners, n)
    rows = unit(vectors.astype(np.float64))
    centres = [rows[np.random.default_rng(seed).integers(n)]] if n else []
    while len(centres) < n_learners:
        centres.append(rows[np.argmin((rows @ np.stack(centres).T).max(axis=1))])
    numbers = np.zeros(n, dtype=np.int64)
    for _ in range(_ROUNDS if n_learners > 1 else 0):
        alike = rows @ np.stack(centres).T
        found = _none_empty(alike.argmax(axis=1), alike, n_learners)
        if (found == numbers).all():
            break
        numbers = found
        centres = [unit(rows[numbers == number].sum(axis=0)) for number in range(n_learners)]
    return numbers


def _none_empty(
    numbers: NDArray[np.int64], alike: NDArray[np.float64], n_learners: int
) -> NDArray[np.int64]:
    """Give each centre without rows the row that fits worst where it is."""
    for number in range(n_learners):
        if (numbers == number).any():
            continue
        counts = np.bincount(numbers, minlength=n_learners)
        fit = np.where(counts[numbers] > 1, alike[np.arange(len(numbers)), numbers], np.inf)
        numbers[fit.argmin()] = number
    return numbers
