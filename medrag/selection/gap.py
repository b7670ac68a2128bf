"""Keep hits until their scores fall off."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

from medrag.errors import RecipeError
from medrag.protocols import Selector
from medrag.records import Hit, Question, Selection
from medrag.selection.checking import check_each
from medrag.selection.cutting import Cut, check_bounds, check_rule, cut_logarithms
from medrag.selection.parting import naming, parted
from medrag.selection.scales import (
    FUSED,
    Floats,
    Scale,
    by_score,
    logarithms,
    scores_of,
    unscored,
)

GapRule = Literal["adjacent_log_gap", "top1_ratio"]
NotPositive = Literal["refuse", "drop"]


class GapSelector:
    """Keep the best hits up to a drop of their scores.

    Whether that is better than a fixed number is for `medrag eval selection` to tell: how often the
    rule cuts at all depends on the encoder, and drops need not mean relevance. `Selection.fired`
    says whether the rule cut more than k_max did.

    Hits are taken from the highest score on and kept in the order of the ranking; one without the
    score comes after all that have it, and is kept for k_min alone.

    Args:
        rule: "adjacent_log_gap", as the paper has it: keep all before the first i with
            log(S_i / S_(i+1)) > gamma; or "top1_ratio", as its code has it: keep all with
            S_1 / S_i < tau.
        gamma: no value is published; tune it.
        tau: above 1.
        k_min, k_max: hits to keep at least and at most.
        score: "fused" for that of the hit, or a name of its parts: a channel or a reranker. Fused
            scores of the retriever `channels` are stretched over each ranking anew, so that their
            ratios say little: rather name a channel.
        scale: "raw" for scores that are 0 where nothing is shared (BM25, reciprocal ranks);
            "cosine" for (1 + score) / 2; "softmax" for scores whose zero is arbitrary, such as the
            logits of rerankers, and distances: a gap is then a difference over `temperature`.
        temperature: of "softmax".
        not_positive: of scale "raw": "refuse" rankings with a score that is not above 0, as their
            ratios mean nothing; "drop" cuts before the first such score, however small the drop
            (the code's rule, made safe of signs).
        otherwise: chooses where the rule cannot be applied; None raises.

    Raises:
        ValueError: if a number is missing or out of range.

    Source:
        Xia et al., MMed-RAG, ICLR 2025: section on adaptive retrieved context selection.
    """

    def __init__(
        self,
        *,
        rule: GapRule = "adjacent_log_gap",
        gamma: float | None = None,
        tau: float = 1.5,
        k_min: int = 1,
        k_max: int = 10,
        score: str = FUSED,
        scale: Scale = "raw",
        temperature: float = 1.0,
        not_positive: NotPositive = "refuse",
        otherwise: Selector | None = None,
    ) -> None:
        if rule not in get_args(GapRule):
            raise ValueError(f"rule must be one of {', '.join(get_args(GapRule))}, got {rule!r}")
        if scale not in get_args(Scale):
            raise ValueError(f"scale must be one of {', '.join(get_args(Scale))}, got {scale!r}")
        if not_positive not in get_args(NotPositive):
            raise ValueError(f"not_positive must be refuse or drop, got {not_positive!r}")
        check_rule(rule, gamma=gamma, tau=tau)
        check_bounds(k_min, k_max)
        logarithms([], scale, temperature=temperature)
        self.rule: GapRule = rule
        self.gamma = gamma
        self.tau = tau
        self.k_min = k_min
        self.k_max = k_max
        self.score = score
        self.scale: Scale = scale
        self.temperature = temperature
        self.not_positive = not_positive
        self.otherwise = otherwise

    def select(self, question: Question, ranking: Sequence[Hit]) -> Selection:
        """Keep hits up to the drop.

        Raises:
            RecipeError: if the rule cannot be applied to the scores and there is no `otherwise`;
                names the question and says how to scale them.
        """
        try:
            with naming(question, "gap"):
                scores = scores_of(ranking, self.score)
                order = by_score(scores)
                cut = self._cut(scores[order])
        except RecipeError as error:
            if self.otherwise is None:
                raise
            instead = self.otherwise.select(question, ranking)
            return replace(instead, reason=f"{instead.reason} (no {self.rule}: {error.__cause__})")
        kept = [order[place] for place in cut.kept]
        lacking = unscored(scores)
        kept += lacking[: max(0, self.k_min - len(kept))]
        fired = len(kept) < min(self.k_max, len(ranking))
        return parted(ranking, kept, self._reason(cut, len(lacking)), fired=fired)

    def check_identity(self, identity: Mapping[str, Any], model: str, k: int) -> None:
        """Hold an `otherwise` that was fitted to one pipeline against this one.

        Raises:
            RecipeError: if it was fitted to another.
        """
        check_each((self.otherwise,), identity, model, k)

    def _cut(self, scores: Floats) -> Cut:
        if self.scale == "raw" and len(scores):
            self._check(scores)
        logs = logarithms(scores, self.scale, temperature=self.temperature)
        return cut_logarithms(
            logs, self.rule, k_min=self.k_min, k_max=self.k_max, gamma=self.gamma, tau=self.tau
        )

    def _check(self, scores: Floats) -> None:
        least = scores[0] if self.not_positive == "drop" else scores[-1]
        if least <= 0:
            raise ValueError(
                f"ratios of {self.score} scores mean nothing with {least:g} among them; use scale: "
                "cosine for cosines, scale: softmax for scores whose zero is arbitrary (logits, "
                "distances), or name a score above 0 with score: CHANNEL"
            )

    def _reason(self, cut: Cut, n_lacking: int) -> str:
        told = f"{self.rule} of {self.score} scores"
        n, keeps = len(cut.kept), cut.rule_keeps
        if self.rule == "top1_ratio":
            told += f": {keeps} within a factor of {self.tau:g} of the first"
        elif 0 < keeps <= len(cut.log_gaps):
            told += f": a drop of {cut.log_gaps[keeps - 1]:.3g} after {keeps}"
        else:
            largest = max(cut.log_gaps, default=0.0)
            told += f": no drop above {self.gamma:g}, the largest is {largest:.3g}"
        told += f"; {n} kept"
        return f"{told}, {n_lacking} lack the score" if n_lacking else told
