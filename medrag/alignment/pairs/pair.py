"""One preference: what is to be said, what is not, and what each is said of."""

from dataclasses import dataclass
from typing import Literal, get_args

from medrag.alignment.noise import Noise
from medrag.records import ImageRef

Family = Literal[
    "cross_modality",  # MMed-RAG 1: the picture was not needed
    "use_context",  # MMed-RAG 2: right only with context
    "not_misled",  # MMed-RAG 3 and RULE: right only without context
    "sampled",  # MMedPO: the most hallucinated of sampled answers
    "written",  # MMedPO: a plausible but wrong answer
    "lesion",  # MMedPO: the same answer, the lesion noised
    "global_noise",  # MMedPO: the same answer, all of the picture noised
    "conditional",  # mDPO: the same answer, another picture
]
FAMILIES: tuple[Family, ...] = get_args(Family)

Parts = tuple[str | ImageRef, ...]


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """Two answers, each with what it answers; the first is preferred.

    Equal answers are legal only where the pictures differ.

    Attributes:
        prompt: texts and pictures in turn, as a model reads them, before `chosen`.
        rejected_prompt: the same before `rejected`; None for `prompt`, its pictures changed by
            `noise` if there is one.
        weight: of the pair in the loss; at least 0, and 1 on average where weights are used.
        noise: how the rejected side's pictures are made from the chosen side's. With a
            `rejected_prompt` it only tells how; without one it is done when the pair is read.
        noised: which pictures of `prompt` the noise is for, from 0; the question's, not those of
            the evidence.
        domain: of the question, such as "radiology".
        subject, study: hashed, as passages have them; for keeping training apart from tests.
        source_ids: of the items, answers or rows that the pair was made of.
    """

    id: str
    prompt: Parts
    chosen: str
    rejected: str
    family: Family
    rejected_prompt: Parts | None = None
    weight: float = 1.0
    noise: Noise | None = None
    noised: tuple[int, ...] = (0,)
    domain: str | None = None
    subject: str | None = None
    study: str | None = None
    source_ids: tuple[str, ...] = ()
