"""Patho-Fusion: how much the similarities of one page stand out, in two readings."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Kurtosis = Literal["pearson", "fisher"]
Squared = Literal["kappa", "mean"]
# Deviations from the mean of a row that are a smaller share of its greatest number are rounding.
_CONSTANT = 1e-9


def patho_fusion(
    text: Floats,
    picture: Floats | None,
    *,
    squared: Squared = "kappa",
    kurtosis: Kurtosis = "pearson",
) -> float:
    """Score one page by its similarities to a question.

    With S_t = text, S_v = picture and kappa the kurtosis of a row:

        std_i(std_j S_t[i, j]) * A * mean_i kappa(S_v[i]) + mean_i max_j S_t[i, j]

    where A is mean_i kappa(S_t[i])**2 (squared "kappa") or (mean_i kappa(S_t[i]))**2 ("mean"): the
    paper's text leaves open which. The outer std is that over i of the std over j; both divide by
    the number of values.

    Args:
        text: (n_tokens, n_page) similarities of the question's tokens to the page's, at least one
            of each.
        picture: (n_patches, n_page), those of its picture's patches; None without a picture: their
            factor is 1 then.
        kurtosis: "pearson": the fourth moment by the squared variance, 3 for a normal row;
            "fisher": less 3, which may be negative. The paper does not say which.

    Returns:
        A finite number for finite similarities (below 1e60 or so).

    Raises:
        ValueError: if an array is empty or of another shape, or a name is unknown.

    Source:
        Patho-AgenticRAG, AAAI 2026, arXiv 2508.02258.
    """
    check_reading(squared, kurtosis)
    for name, values in (("text", text), ("picture", picture)):
        if values is not None and (values.ndim != 2 or not values.size):
            raise ValueError(f"{name} must be (n, m), at least 1 of each, got {values.shape}")
    of_text = kurtoses(text, kurtosis)
    peaked = np.mean(of_text**2) if squared == "kappa" else np.mean(of_text) ** 2
    of_picture = 1.0 if picture is None else np.mean(kurtoses(picture, kurtosis))
    return float(np.std(np.std(text, axis=1)) * peaked * of_picture + np.mean(np.max(text, axis=1)))


def kurtoses(rows: Floats, kind: Kurtosis) -> Floats:
    """Compute the kurtosis of each row, of all its values; that of a constant row is 0.

    Args:
        rows: (n, m).

    Returns:
        (n,); "pearson" in {0} or [1, m].
    """
    centred = rows - rows.mean(axis=1, keepdims=True)
    reach = np.abs(centred).max(axis=1)
    varies = reach > _CONSTANT * np.abs(rows).max(axis=1)
    # Scaled before the powers, which would leave the range of numbers.
    shares = centred / np.where(varies, reach, 1.0)[:, None]
    fourth, second = (shares**4).mean(axis=1), (shares**2).mean(axis=1)
    found = fourth / np.where(varies, second, 1.0) ** 2 - (3.0 if kind == "fisher" else 0.0)
    chosen: Floats = np.where(varies, found, 0.0)
    return chosen


def check_reading(squared: str, kurtosis: str) -> None:
    """Refuse names that are no reading of the formula."""
    if squared not in get_args(Squared):
        raise ValueError(f"squared must be 'kappa' or 'mean', got {squared!r}")
    if kurtosis not in get_args(Kurtosis):
        raise ValueError(f"kurtosis must be 'pearson' or 'fisher', got {kurtosis!r}")
