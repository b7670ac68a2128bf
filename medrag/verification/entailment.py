"""Support of claims as a model of natural language inference sees it."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from medrag.checkpoints.batching import check_sizes
from medrag.checkpoints.files import content_name, model_folder
from medrag.checkpoints.numerics import Dtype, check_dtype, numerics_of
from medrag.records import Answer, Claim, Support
from medrag.verification.inference import Inference, Verdict, labels_of
from medrag.verification.lexical import cited_passages
from medrag.verification.premises import premises

# Part of the verifier's name: raise it when what the model reads of a claim and its passages, or
# the rule that makes a support of its verdicts, changes.
_RULE = "windows-2"
# Without the question it states nothing that evidence could entail.
_BARE = re.compile(r"\W*(?:yes|no)\W*", re.IGNORECASE)


class EntailmentVerifier:
    """Ask a model of inference whether the passages that a claim cites entail it.

    The premise is what the cited passages say, the hypothesis the claim. Passages that the model
    cannot read at once are read in windows of whole sentences; the first of them holds the
    sentences that share most words with the claim. The score is the largest probability of
    entailment of a window, and the claim is

    - supported, if that is at least `least`, and at least the probability of contradiction there;
    - contradicted, if the window that is least neutral (the one that speaks of the claim: models
      also find contradictions in what speaks of something else) contradicts it with at least
      `least`, and the claim is not supported;
    - unsupported otherwise.

    A claim without markers, whose passages hold no text, which by itself takes more than half of
    what the model reads, or which is a bare yes or no, stays "unchecked".

    Args:
        model: a checkpoint of transformers' AutoModelForSequenceClassification, such as those of
            MNLI: a folder, or an id of the Hugging Face hub. A model of two classes (entailment
            and not) never contradicts.
        labels: what its classes mean, in order, where its config.json does not name them.
        least: probability.
        windows: of one claim at most.
        device: of torch; None for the GPU if there is one, else the CPU.
        dtype: "auto" is bfloat16 where the device computes in it natively, else float32.
        batch_tokens: in one pass through the model, padding included; halved when memory runs
            out. None for what suits the device.
        revision: of a hub id.
        trust_remote_code: run Python code that comes with the model.

    Raises:
        ValueError: if a number is out of range.
        RecipeError: if the model is not found or its classes have no names; (at first use) if it
            does not load.

    Source:
        Williams, Nangia & Bowman, "A broad-coverage challenge corpus for sentence understanding
        through inference" (MultiNLI), NAACL 2018; Laban, Schnabel, Bennett & Hearst, "SummaC:
        re-visiting NLI-based models for inconsistency detection", TACL 10, 2022: the maximum over
        parts of the source.
    """

    def __init__(
        self,
        *,
        model: str,
        labels: tuple[str, ...] | None = None,
        least: float = 0.5,
        windows: int = 8,
        device: str | None = None,
        dtype: Dtype = "auto",
        batch_tokens: int | None = None,
        revision: str | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        if not 0 < least <= 1:
            raise ValueError(f"least must be above 0 and at most 1, got {least}")
        check_sizes(windows=windows, batch_tokens=batch_tokens)
        check_dtype(dtype)
        self.least = least
        self.windows = windows
        self.device = device
        self.dtype: Dtype = dtype
        self.batch_tokens = batch_tokens
        self.trust_remote_code = trust_remote_code
        # Answers are generated before the first of them is judged: too late to miss a model.
        self.folder = model_folder(model, revision)
        self.labels = labels_of(self.folder, labels)

    @cached_property
    def name(self) -> str:
        """Content of weights and configuration, what the classes mean, and the rule."""
        classes = ",".join(self.labels)
        return f"{content_name(self.folder)}/{classes}/{self.least}/{self.windows}/{_RULE}"

    @property
    def numerics(self) -> str:
        """Device and dtype in use, such as "cpu bfloat16"; loads the model."""
        return numerics_of(self._inference.model)

    def verify(self, answers: Sequence[Answer]) -> list[Answer]:
        """Judge the claims of all answers in one go; equal pairs of texts only once."""
        asked = [[self._pairs(answer, claim) for claim in answer.claims] for answer in answers]
        once = list(dict.fromkeys(p for of_answer in asked for pairs in of_answer for p in pairs))
        verdicts = self._inference.verdicts(once) if once else []
        said = dict(zip(once, verdicts, strict=True))
        return [
            replace(answer, claims=tuple(
                self._judged(claim, [said[pair] for pair in pairs])
                for claim, pairs in zip(answer.claims, of_answer, strict=True)
            ))
            for answer, of_answer in zip(answers, asked, strict=True)
        ]  # fmt: skip

    def _pairs(self, answer: Answer, claim: Claim) -> list[tuple[str, str]]:
        """List the premises of a claim, each with it."""
        passages = [each for each in cited_passages(answer, claim) if each.text.strip()]
        if not passages or not claim.text.strip() or _BARE.fullmatch(claim.text):
            return []
        inference = self._inference
        room = inference.room() - inference.count([claim.text])[0]
        if room < inference.room() // 2:
            return []
        windows = premises(
            claim.text, passages, room=room, most=self.windows, count=inference.count
        )
        return [(window, claim.text) for window in windows]

    def _judged(self, claim: Claim, verdicts: Sequence[Verdict]) -> Claim:
        if not verdicts:
            return replace(claim, support="unchecked", score=None)
        best = max(verdicts, key=lambda each: each.entailment)
        telling = min(verdicts, key=lambda each: each.neutral)
        if best.entailment >= max(self.least, best.contradiction):
            return replace(claim, support="supported", score=best.entailment)
        denied = telling.contradiction >= max(self.least, telling.entailment)
        support: Support = "contradicted" if denied else "unsupported"
        return replace(claim, support=support, score=best.entailment)

    @cached_property
    def _inference(self) -> Inference:
        return Inference(
            self.folder,
            self.labels,
            device=self.device,
            dtype=self.dtype,
            batch_tokens=self.batch_tokens,
            trust_remote_code=self.trust_remote_code,
        )
