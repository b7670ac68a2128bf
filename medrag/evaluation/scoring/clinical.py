"""Clinical measures of the reports of a run, through RadEval."""

from collections.abc import Sequence

from medrag.errors import EvaluationError
from medrag.evaluation.clinical import clinical_scores
from medrag.evaluation.parsed import Text
from medrag.evaluation.parsing import parse_answer
from medrag.evaluation.runs import Run
from medrag.evaluation.scores import Estimate
from medrag.evaluation.statistics import Resamples, mean_of


def clinical_estimates(
    run: Run, arm: str, measures: Sequence[str], *, seed: int = 0
) -> dict[str, Estimate]:
    """Measure the reports of one arm; intervals by bootstrap over clusters.

    A report that failed or abstained is empty.

    Args:
        measures: of `medrag.evaluation.clinical.CLINICAL_MEASURES`.

    Raises:
        EvaluationError: if the arm answered no item of kind "report".
        ValueError: if a measure is unknown.
        MissingExtraError: if RadEval is not installed.
    """
    references, hypotheses, clusters = [], [], []
    for answered in run.answers():
        item, answer = run.items[answered.item], answered.answer
        if answered.arm == arm and item.kind == "report" and item.references:
            parsed = parse_answer(answer.text, item, abstained=answer.abstained)
            references.append(item.references[0])
            hypotheses.append(parsed.text if isinstance(parsed, Text) else "")
            clusters.append(item.cluster)
    if not references:
        raise EvaluationError(
            f"{run.folder}: the arm {arm!r} answers no report, which clinical measures are of"
        )
    scores = clinical_scores(references, hypotheses, measures=measures)
    return Resamples(clusters, seed=seed).estimates(
        {name: mean_of(values) for name, values in scores.items()}
    )
