"""Keep hits as long as they fit."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

from medrag.language.estimating import text_tokens
from medrag.records import KINDS, Hit, Question, Selection
from medrag.selection.parting import parted

WhenFull = Literal["stop", "skip"]


class BudgetSelector:
    """Keep hits in rank order as long as they fit what may be spent.

    A hit whose kind or domain is used up is passed over, and the next is looked at. What becomes of
    one that the tokens or images left do not hold is said by `when_full`.

    Args:
        tokens: of the texts that are shown (`Hit.summary`, where there is one); None: no bound.
        images: of the passages that are shown; a hit with a summary shows none. None: no bound.
        per_kind: hits at most of a kind of passage, such as {fact: 7, page: 1}; those not named
            have no bound.
        per_domain: likewise, by the domain of their source.
        when_full: "stop" keeps nothing from the first hit on that does not fit, so that no lower
            one takes its place; "skip" passes it over.
        k_min: hits to keep at least, the best ones, whatever they take: a prompt cuts their text.
        count: tokens of a text.

    Raises:
        ValueError: if nothing is bounded, a number is out of range, or a kind unknown.
    """

    def __init__(
        self,
        *,
        tokens: int | None = None,
        images: int | None = None,
        per_kind: Mapping[str, int] | None = None,
        per_domain: Mapping[str, int] | None = None,
        when_full: WhenFull = "stop",
        k_min: int = 1,
        count: Callable[[str], int] = text_tokens,
    ) -> None:
        if tokens is None and images is None and not per_kind and not per_domain:
            raise ValueError("a budget needs tokens, images, per_kind or per_domain")
        if tokens is not None and tokens < 1:
            raise ValueError(f"tokens must be at least 1, got {tokens}")
        if when_full not in get_args(WhenFull):
            raise ValueError(f"when_full must be stop or skip, got {when_full!r}")
        if k_min < 0:
            raise ValueError(f"k_min must be at least 0, got {k_min}")
        for kind in per_kind or {}:
            if kind not in KINDS:
                raise ValueError(f"unknown kind {kind!r}; known are {', '.join(KINDS)}")
        _check_counts(images, per_kind or {}, per_domain or {})
        self.tokens = tokens
        self.images = images
        self.per_kind = dict(per_kind or {})
        self.per_domain = dict(per_domain or {})
        self.when_full = when_full
        self.k_min = k_min
        self.count = count

    def select(self, question: Question, ranking: Sequence[Hit]) -> Selection:  # noqa: ARG002
        """Keep what fits; the reason says what was spent and what was passed over for what."""
        spent: Counter[str] = Counter()
        passed: Counter[str] = Counter()
        kept: list[int] = []
        for place, hit in enumerate(ranking):
            costs = self._costs(hit)
            over = self._over(spent, costs)
            if over is None or len(kept) < self.k_min:
                kept.append(place)
                spent += costs
                continue
            passed[over] += 1
            if over in ("tokens", "images") and self.when_full == "stop":
                passed[over] += len(ranking) - place - 1
                break
        told = f"{len(kept)} kept, {spent['tokens']} tokens, {spent['images']} images"
        told += "".join(f"; {n} passed over: {name} used up" for name, n in passed.items())
        return parted(ranking, kept, told, fired=len(kept) < len(ranking))

    def _costs(self, hit: Hit) -> Counter[str]:
        passage = hit.passage
        shown = hit.summary or passage.text
        return Counter(
            {
                "tokens": self.count(shown),
                "images": 0 if hit.summary else len(passage.images),
                f"kind {passage.kind}": 1,
                f"domain {passage.source.domain}": 1,
            }
        )

    def _over(self, spent: Counter[str], costs: Counter[str]) -> str | None:
        """Name what a hit would use more of than there is; None if it fits."""
        bounds: dict[str, int | None] = {
            **{f"kind {kind}": n for kind, n in self.per_kind.items()},
            **{f"domain {domain}": n for domain, n in self.per_domain.items()},
            "tokens": self.tokens,
            "images": self.images,
        }
        for name, most in bounds.items():
            if most is not None and costs[name] and spent[name] + costs[name] > most:
                return name
        return None


def _check_counts(
    images: int | None, per_kind: Mapping[str, int], per_domain: Mapping[str, int]
) -> None:
    for name, n in {"images": images, **per_kind, **per_domain}.items():
        if n is not None and n < 0:
            raise ValueError(f"{name} must be at least 0, got {n}")
