"""A reader without weights: it quotes the evidence, votes, or scores options, and never invents."""

from collections.abc import Sequence

from medrag.generation.extractive import choice, open_question, pictures, polar
from medrag.generation.extractive.compare import compared
from medrag.generation.extractive.evidence import Pool, Similarity, Unit, closeness, gather
from medrag.generation.extractive.quoting import one_line
from medrag.records import Generation, Prompt

# A passage that holds no more than this share of an open question's words is about something else.
_HALF = 0.5
ABSTENTION = "No evidence found in this library."


class ExtractiveGenerator:
    """Answer from sentences of the evidence alone, each followed by its marker.

    - Multiple choice: the option that the evidence supports best, as "B. regional anatomy [1].",
      and the sentence that supports it.
    - Yes or no: a vote of the sentences that name what is asked, with denials counted as denials,
      and of similar cases with their answers: "No [2]." and the sentences of the winning side.
    - Open: the sentences that answer best; for a difference, what contrasts the two, or what says
      what each is. A fact answers for its head, not for its tail.
    - Open, with a picture: similar cases that were asked nearly the same, nearest picture first.
    - A picture without words: what stands with the most similar pictures.

    Where nothing supports an answer the text is "No evidence found in this library.".

    The confidence is in [0, 1] and ranks answers; it is no probability. Multiple choice: the lead
    of the chosen option over the next one, as a share of the higher score. Yes or no: the
    difference of the two sides as a share of all votes, less for few votes. Open: the share of the
    question's words that the best sentence holds, those of its passage at half. Cases: the weight
    of the best, by words and picture. Abstention: 0.

    Args:
        max_sentences: quoted at most.
        min_coverage: an open question is answered only if the best sentence holds this share of
            its words, those that only its passage holds counted at half.
        max_missing: an open question is answered only if no more than this share of its words
            stands in no passage of the evidence.
        min_held: a multiple-choice question is answered only if a sentence that supports the option
            and its passage hold this share of the words of question and option, on average. With
            the next one it keeps still on 95% of a textbook's questions where the evidence was
            drawn at random, and on 15% where it is the right module.
        max_choice_missing: and only if no more than this share of them stands in no passage of the
            evidence.
        near: cases, reports and captions of a picture that is less similar to the question's than
            this, in [0, 1], are no evidence. The default fits the weightless descriptor: the
            nearest picture of another VQA-RAD image was at 0.90 or more for each of 40, of a
            fundus photograph among radiographs at 0.72, of a frontal chest film to a CT slice at
            0.87. Another image encoder needs its own; 0 lets every picture speak.
        similarity: of texts to texts, for a better choice of sentences; None goes by words alone.

    Raises:
        ValueError: if a number is out of range.
    """

    def __init__(
        self,
        *,
        max_sentences: int = 3,
        min_coverage: float = 0.4,
        max_missing: float = 0.25,
        min_held: float = 0.43,
        max_choice_missing: float = 0.4,
        near: float = 0.88,
        similarity: Similarity | None = None,
    ) -> None:
        if max_sentences < 1:
            raise ValueError(f"max_sentences must be at least 1, got {max_sentences}")
        shares = {
            "min_coverage": min_coverage,
            "max_missing": max_missing,
            "min_held": min_held,
            "max_choice_missing": max_choice_missing,
            "near": near,
        }
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {share}")
        self.max_sentences = max_sentences
        self.min_coverage = min_coverage
        self.max_missing = max_missing
        self.min_held = min_held
        self.max_choice_missing = max_choice_missing
        self.near = near
        self.similarity = similarity

    # It compares pictures by their scores of retrieval, and never looks at one.
    looks = False

    @property
    def name(self) -> str:
        return "extractive"

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        """Answer each prompt from its question and evidence; its parts are not read."""
        return [self._generation(prompt) for prompt in prompts]

    def _generation(self, prompt: Prompt) -> Generation:
        pool = gather(prompt, near=self.near)
        question = prompt.question
        if not pool.units:
            return _abstention()
        if polar.is_polar(question, pool.language):
            return self._polar(prompt, pool)
        if question.options:
            return self._choice(prompt, pool)
        if question.images and not open_question.asked_stems(question.text, pool.language):
            return self._pictures(pool)
        if question.images and (told := pictures.told_of(question, pool)):
            return self._cases(told)
        return self._open(prompt, pool)

    def _choice(self, prompt: Prompt, pool: Pool) -> Generation:
        question = prompt.question
        scores = choice.score_options(question, pool, self.similarity)
        best = choice.chosen(question, scores)
        others = [one.score for one in scores if one is not best]
        support = best.supports
        words = choice.words_to_hold(question, best, pool.language)
        if choice.held(words, support) < self.min_held or (
            open_question.missing(words, pool) > self.max_choice_missing
        ):
            return _abstention()
        letter = chr(ord("A") + best.option)
        option = one_line(question.options[best.option]).rstrip(" .")
        text = f"{letter}. {option} [{support[0].marker}].\n{_quoted(support[0])}"
        return Generation(text, confidence=_lead(best.score, others))

    def _polar(self, prompt: Prompt, pool: Pool) -> Generation:
        verdict = polar.vote(prompt.question, pool)
        if verdict.word is None:
            return _abstention()
        quoted = verdict.supports[: self.max_sentences]
        markers = ", ".join(str(n) for n in sorted({unit.marker for unit in quoted}))
        word = self._worded(prompt, verdict.word)
        text = f"{word} [{markers}]. {_all_quoted(quoted)}"
        return Generation(text, confidence=verdict.margin)

    def _worded(self, prompt: Prompt, word: str) -> str:
        """Put the letter before the word where yes and no are options."""
        for i, option in enumerate(prompt.question.options):
            if option.strip(" .").lower() == word.lower():
                return f"{chr(ord('A') + i)}. {option.strip(' .')}"
        return word

    def _open(self, prompt: Prompt, pool: Pool) -> Generation:
        question = prompt.question
        if both := compared(question, pool, self.similarity):
            units = list(dict.fromkeys(one.unit for one in both))[: self.max_sentences]
            return Generation(_all_quoted(units), confidence=both[0].coverage)
        found = open_question.find(question, pool, self.similarity)
        asked = open_question.asked_stems(question.text, pool.language)
        if not found or found[0].coverage < self.min_coverage:
            return _abstention()
        if open_question.share_around(asked, found[0].unit) <= _HALF:
            return _abstention()
        if open_question.missing(asked, open_question.cued(question.text, pool)) > self.max_missing:
            return _abstention()
        picked = open_question.pick(found, self.max_sentences, asked)
        return Generation(_all_quoted(picked), confidence=found[0].coverage)

    def _cases(self, told: Sequence[pictures.Told]) -> Generation:
        best = told[: self.max_sentences]
        text = _all_quoted([one.unit for one in best])
        return Generation(text, confidence=min(1.0, best[0].weight))

    def _pictures(self, pool: Pool) -> Generation:
        """Quote what stands with the most similar pictures, one sentence for each picture."""
        nearest = pictures.nearest(pool)[: self.max_sentences]
        if not nearest:
            return _abstention()
        told = "; ".join(
            f"{_told(same[0])} {_bracketed([one.marker for one in same])}"
            for same in _by_text(nearest)
        )
        text = f"The most similar pictures in this library: {told}."
        close = closeness(nearest[0].hit)
        return Generation(text, confidence=0.5 if close is None else close)


def _abstention() -> Generation:
    return Generation(ABSTENTION, confidence=0.0, abstained=True)


def _all_quoted(units: Sequence[Unit]) -> str:
    """Quote each sentence once, with the markers of all passages that say it."""
    return " ".join(_marked(same[0].text, [one.marker for one in same]) for same in _by_text(units))


def _by_text(units: Sequence[Unit]) -> list[list[Unit]]:
    found: dict[str, list[Unit]] = {}
    for unit in units:
        found.setdefault(unit.text, []).append(unit)
    return list(found.values())


def _quoted(unit: Unit) -> str:
    return _marked(unit.text, [unit.marker])


def _marked(text: str, markers: Sequence[int]) -> str:
    """Put markers before the full stop of a sentence."""
    return f"{text.rstrip(' .')} {_bracketed(markers)}."


def _bracketed(markers: Sequence[int]) -> str:
    return f"[{', '.join(map(str, sorted(markers)))}]"


def _told(unit: Unit) -> str:
    """Put what stands with a picture in quotation marks; a case has its own."""
    passage = unit.hit.passage
    if passage.kind == "case":
        return unit.text[:1].lower() + unit.text[1:].rstrip(".")
    return f"“{unit.text.rstrip('.')}”"


def _lead(score: float, others: Sequence[float]) -> float:
    """Give the distance to the nearest other score as a share of the larger of the two."""
    nearest = min(others, key=lambda other: abs(other - score), default=0.0)
    larger = max(score, nearest)
    return abs(score - nearest) / larger if larger > 0 else 0.0
