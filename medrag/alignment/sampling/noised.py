"""Pairs of one answer to two pictures: the clean one, and one made worse."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import nan
from typing import Literal

from medrag.alignment.noise import NOISE_KINDS, Noise, check_noise
from medrag.alignment.pairs import PreferencePair, pictures_of
from medrag.alignment.sampling.asking import Made, Ready, pair_of, ready
from medrag.alignment.weighing.weights import normalised_weights
from medrag.records import Item

NoisedFamily = Literal["lesion", "global_noise", "conditional"]
_KINDS: Mapping[str, frozenset[str]] = {
    "lesion": frozenset({"lesion_mask"}),
    "global_noise": frozenset({"replace_gaussian", "add_gaussian", "diffusion", "blank"}),
    "conditional": frozenset(NOISE_KINDS),
}
NO_PICTURE = "the question has no picture"
NO_NOISE = "no noise is given"
SEVERAL = "the question shows several pictures, and a lesion lies in one"
PART = "the question shows a part of a picture, whose pixels a lesion does not count"


def noised_pairs(
    items: Iterable[Item],
    noise: Noise | Mapping[str, Noise],
    *,
    family: NoisedFamily,
    benchmark: str,
    confidences: Mapping[str, float] | None = None,
    exact_mean: bool = False,
    template: str | None = None,
    key: bytes | None = None,
) -> Made:
    """Prefer the right answer said of the clean picture to the same said of a noised one.

    The pairs name the noise; it is done when they are read. Each picture draws noise of its own
    under one seed.

    Args:
        items: of a split that is trained on, each with a reference and a picture.
        noise: for all items, or one each by the item's id; an item without is left out.
        family: "lesion" takes lesion_mask, "global_noise" what covers the whole picture,
            "conditional" any noise.
        benchmark: begins the ids of pairs.
        confidences: that the lesion was found, by the item's id; they become weights by
            `normalised_weights`, over the pairs that are made. An item without one weighs 1.
        exact_mean: see `normalised_weights`.
        template: of the prompt; None for the question's own.
        key: of pseudonyms; None reads this user's key if an item names anybody.

    Raises:
        ValueError: if a noise lacks what it needs, or is none of the family's; names the item.
        MedragError: if a picture cannot be read.

    Source:
        MMedPO, arXiv 2412.06141 ("lesion", "global_noise"); mDPO, arXiv 2406.11839
        ("conditional").
    """
    given = list(items)
    by_item = {item.id: noise for item in given} if isinstance(noise, Noise) else dict(noise)
    for name, told in by_item.items():
        _check(name, told, family)
    known = confidences or {}
    left_out: Counter[str] = Counter()
    made: list[tuple[PreferencePair, float]] = []
    for each in ready(given, template=template, key=key, left_out=left_out):
        own = by_item.get(each.given)
        problem = _problem(each, own, family)
        if own is None or problem:
            left_out[problem] += 1
            continue
        pair = pair_of(each, each.right, family, benchmark, own)
        made.append((pair, known.get(each.given, nan)))
    weights = normalised_weights([score for _, score in made], exact_mean=exact_mean)
    weighed = (replace(pair, weight=w) for (pair, _), w in zip(made, weights.tolist(), strict=True))
    return Made(tuple(weighed), dict(left_out))


def _check(name: str, noise: Noise, family: str) -> None:
    if family not in _KINDS:
        raise ValueError(f"family must be one of {', '.join(_KINDS)}; got {family!r}")
    try:
        check_noise(noise)
    except ValueError as error:
        raise ValueError(f"noise of item {name!r}: {error}") from error
    if noise.kind not in _KINDS[family]:
        raise ValueError(
            f"noise of item {name!r}: family {family} takes {', '.join(sorted(_KINDS[family]))}; "
            f"got {noise.kind}"
        )


def _problem(each: Ready, noise: Noise | None, family: str) -> str:
    pictures = pictures_of(each.prompt.parts)
    if not pictures:
        return NO_PICTURE
    if noise is None:
        return NO_NOISE
    if family != "lesion" and noise.kind != "lesion_mask":
        return ""
    if any(picture.box is not None for picture in pictures):
        return PART
    return SEVERAL if len(pictures) > 1 else ""
