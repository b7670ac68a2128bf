"""What arms, measures, states and protocols are called on the page, and what they mean."""

from medrag.evaluation.scores import FLOOR, ArmScores, Scores

_ARMS = {
    "context": ("with context", "the pipeline as it is"),
    "no_context": ("no context", "the same model, shown no evidence"),
    "random_context": ("random context", "evidence drawn at random from the index"),
    "oracle_context": (
        "oracle context",
        "passages of the documents that hold the answer, or what asking with the answer finds",
    ),
    "blank_image": ("blank picture", "an even grey picture in place of the question's"),
    "noise_image": ("noise picture", "noise in place of the question's picture"),
    "noise_image_no_context": (
        "noise picture, no context", "noise in place of the question's picture, and no evidence",
    ),
    "text_only": ("no picture", "the question without its picture"),
    "no_guard": ("guard off", "the question's own picture, study and patient may be found"),
    "floor:constant": ("constant answer", "always the answer that is right most often"),
    "floor:question": (
        "question only",
        "the most frequent answer to the same words, without picture and evidence",
    ),
    "floor:random": ("random answer", "an answer drawn at random"),
    "floor:nearest_case": ("nearest case", "the answer of the nearest case in the training rows"),
}  # fmt: skip
STATE_TOLD = {
    "answered": "read as an answer",
    "abstained": "the model declined to answer",
    "unparsed": "nothing of the form that was asked for stands in the answer",
    "failed": "the run gave an error in place of an answer",
    "missing": "never answered",
}
_SHARES = {
    "rescue": "Of the items wrong before, the share that context turns right.",
    "interference": "Of the items right before, the share that context turns wrong.",
    "over_reliance": "Share answered the same when the picture shows nothing and the evidence "
    "stays: these answers rest on the text.",
    "image_blind": "Share right without the true picture, of the items that have one: so much is "
    "given away to one who never looks.",
    "has_context": "Share of items for which any evidence was read.",
    "rule_fired": "Share of items in which the rule of the selection cut something.",
    "near_duplicate": "Share of items whose evidence holds a picture that looks like the "
    "question's.",
    "mean_evidence": "Passages that were read for one item, on average.",
    "copied_references": "Share of answers that hold a run of words, or a whole sentence, of "
    "another patient's report or case.",
    "laterality_contradicted": "Of the claims with citations, the share that names another side "
    "than what is cited.",
    "negation_contradicted": "Of the claims with citations, the share that affirms what is cited "
    "as denied, or the reverse.",
}


def is_floor(arm: str) -> bool:
    return arm.startswith(FLOOR)


def arm_name(arm: str) -> str:
    """Call an arm as a person would; an unknown one keeps its name."""
    if arm in _ARMS:
        return _ARMS[arm][0]
    return arm.removeprefix(FLOOR).replace("_", " ")


def arm_told(arm: str) -> str:
    """Say what an arm is; empty for an unknown one."""
    return _ARMS[arm][1] if arm in _ARMS else ""


def share_name(name: str) -> str:
    """Call a diagnostic: "over_reliance (blank_image)" is "over reliance (blank picture)"."""
    for arm, (shown, _) in _ARMS.items():
        name = name.replace(f"({arm})", f"({shown})").replace(f" of {arm}", f", after {shown}")
    return words(name)


def share_told(name: str) -> str:
    """Explain a diagnostic in a sentence; empty for an unknown one.

    What is "of" an arm is beside that arm; without one, beside no context.
    """
    return _SHARES.get(name.split(" ")[0], "")


def words(name: str) -> str:
    """Give the name of a measure, a stage or a column as words."""
    return name.replace("_", " ").strip()


def main_arm(scores: Scores) -> ArmScores | None:
    """Give the arm that the page is about: the one with context, else the first that is no floor.

    Where all are floors, the first of them.
    """
    named = {each.arm: each for each in scores.arms}
    asked = [each for each in scores.arms if not is_floor(each.arm)]
    return named.get("context") or next(iter([*asked, *scores.arms]), None)


def floors(scores: Scores) -> list[ArmScores]:
    return [each for each in scores.arms if is_floor(each.arm)]
