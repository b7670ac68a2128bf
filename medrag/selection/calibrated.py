"""Keep as many hits as a calibration found to control the risk of wrong answers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from medrag.errors import RecipeError
from medrag.protocols import Selector
from medrag.records import Hit, Question, Selection
from medrag.selection.calibration import index_sha256, load_k_calibration, recipe_sha256
from medrag.selection.checking import check_each
from medrag.selection.parting import parted

_WAY_OUT = (
    "its promise holds for the answers it was made of alone; calibrate anew: medrag eval selection "
    "PIPELINE BENCHMARK --calibrate FILE"
)


class CalibratedSelector:
    """Keep the k hits of a calibration file, which is of this very pipeline.

    A file of another index, recipe, model or depth is refused (`check_identity`), and nothing is
    selected before that was looked at.

    Args:
        file: made by `medrag eval selection --calibrate`.
        otherwise: chooses where no k controls the risk; None gives no context, so that the answer
            is made without, or withheld, as the answerer does.

    Raises:
        InputFileError: if the file cannot be read.

    Source:
        Xia et al., "RULE: reliable multimodal RAG for factuality in medical vision language
        models", EMNLP 2024; Angelopoulos et al., "Learn then test", 2021.
    """

    def __init__(self, *, file: Path, otherwise: Selector | None = None) -> None:
        self.file = file
        self.otherwise = otherwise
        self.calibration = load_k_calibration(file)
        self._checked = False

    def check_identity(self, identity: Mapping[str, Any], model: str, k: int) -> None:
        """Refuse a pipeline that is not the one calibrated.

        Args:
            identity: of the pipeline: its recipe and its index.
            model: that answers, as `Answer.model` names it.
            k: hits that the pipeline asks for.

        Raises:
            RecipeError: says what differs.
        """
        held = self.calibration
        for told, fitted, found in (
            ("index", held.index, index_sha256(identity)),
            ("pipeline recipe (its selector aside)", held.recipe, recipe_sha256(identity)),
            ("model", held.model, model),
            ("number of retrieved hits (k)", str(held.depth), str(k)),
        ):
            if fitted != found:
                raise RecipeError(
                    f"{self.file} of {held.created} is of another {told}: {_short(fitted)} there, "
                    f"{_short(found)} here; {_WAY_OUT}"
                )
        check_each((self.otherwise,), identity, model, k)
        self._checked = True

    def select(self, question: Question, ranking: Sequence[Hit]) -> Selection:
        """Keep the first k.

        Raises:
            RecipeError: if the selector was not held against its pipeline.
        """
        held = self.calibration
        if not self._checked:
            raise RecipeError(
                f"{self.file} was not held against the pipeline that uses it; call "
                "check_identity(pipeline.identity, model, pipeline.k) first"
            )
        if held.k is not None:
            reason = (
                f"the first {held.k}: at most {held.alpha:g} of the answers are wrong, with a "
                f"certainty of {1 - held.delta:g} ({held.procedure}, n = {held.n})"
            )
            return parted(ranking, range(held.k), reason, fired=len(ranking) > held.k)
        reason = f"no k controls the risk at {held.alpha:g}"
        if self.otherwise is None:
            return Selection((), tuple(ranking), f"{reason}: no context", fired=bool(ranking))
        instead = self.otherwise.select(question, ranking)
        return replace(instead, reason=f"{reason}: {instead.reason}")


def _short(name: str) -> str:
    """Write a name; of a SHA-256 as much as tells two apart."""
    return f"{name[:12]}..." if len(name) == 64 and name.isalnum() else name or "none"
