"""A reader of cases alone: those nearest in question and picture vote."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from medrag.generation.asked import (
    PICTURE_POWER,
    WORD_POWER,
    answer_sign,
    common_share,
    content_stems,
    option_meant,
)
from medrag.generation.extractive import ABSTENTION
from medrag.generation.extractive.evidence import closeness, language_of_prompt
from medrag.generation.extractive.polar import is_polar
from medrag.generation.extractive.quoting import capitalised, case_sentence, one_line
from medrag.language import stems
from medrag.records import Generation, Hit, Prompt, Question

# What an answer votes for, one text for answers that say the same; None if for nothing.
Ballot = Callable[[str], str | None]
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Vote:
    """A case, what it votes for, and how much it says of the question, above 0 and at most 1."""

    marker: int
    hit: Hit
    choice: str
    weight: float


class CasesGenerator:
    """Answer as the cases did that were asked nearly the same of a picture nearly the same.

    Every case of the evidence votes with its answer, by the share of words that its question has in
    common with the one asked, times how near the pictures are, each to a power. Other kinds of
    passages have no say.

    - Yes or no: cases with such an answer vote: "Yes [1, 3].".
    - Multiple choice: a case votes for the option that its answer names: "B. pneumothorax [2].".
    - Open: equal answers vote together, and the winner is given in the words of its heaviest case:
      "Right lower lobe [4, 7].". Cases that were answered by yes or no have no say.

    Where no case votes the text is "No evidence found in this library.". The confidence is the
    weight of the winner as a share of all votes and `doubt`, in [0, 1); it ranks answers and is no
    probability. Abstention: 0.

    The defaults were chosen on the 1,078 openly licensed training questions of VQA-RAD, each asked
    of the other images: half and twice of the powers change accuracy on yes and no by less than 2
    points, its standard error.

    Args:
        word_power: of the share of words; the larger, the more the same question counts.
        picture_power: of the similarity of pictures, which for radiographs lies close to 1; 0 goes
            by words alone.
        min_share: a case votes only if the questions have this share of words in common, or half
            of it where the last word of either is among them. A higher share answers less often
            and a little better: right in 61% of 545 answers at 0.15, in 64% of 440 at 0.6.
        near: cases of a picture less similar than this, in [0, 1], have no vote. The default fits
            the weightless descriptor: a fundus photograph is at 0.72 to the nearest radiograph, a
            chest film at 0.87 to the nearest CT slice.
        words_alone: let the words of questions decide, whatever their pictures. By default a case
            whose picture was not compared to that of the question has no vote, as where the index
            has no image channel.
        doubt: weight of no answer at all; the larger, the less sure of few votes.
        max_cited: cases of the winner that are cited at most, the heaviest.
        quote: tell the heaviest case of the winner in a sentence of its own.

    Raises:
        ValueError: if a number is out of range.

    Source:
        Dudani, "The Distance-Weighted k-Nearest-Neighbor Rule", IEEE Trans. SMC 6(4), 1976.
    """

    def __init__(
        self,
        *,
        word_power: float = WORD_POWER,
        picture_power: float = PICTURE_POWER,
        min_share: float = 0.2,
        near: float = 0.8,
        words_alone: bool = False,
        doubt: float = 0.05,
        max_cited: int = 5,
        quote: bool = False,
    ) -> None:
        _check_positive(word_power=word_power, doubt=doubt)
        if not 0 <= picture_power < float("inf"):
            raise ValueError(f"picture_power must be at least 0 and finite, got {picture_power}")
        for name, share in {"min_share": min_share, "near": near}.items():
            if not 0 <= share <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {share}")
        if max_cited < 1:
            raise ValueError(f"max_cited must be at least 1, got {max_cited}")
        self.word_power = word_power
        self.picture_power = picture_power
        self.min_share = min_share
        self.near = near
        self.words_alone = words_alone
        self.doubt = doubt
        self.max_cited = max_cited
        self.quote = quote

    # It compares pictures by their scores of retrieval, and never looks at one.
    looks = False

    @property
    def name(self) -> str:
        return "cases"

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        """Answer each prompt from its question and evidence; its parts are not read."""
        return [self._generation(prompt) for prompt in prompts]

    def _generation(self, prompt: Prompt) -> Generation:
        votes = self._votes(prompt)
        if not votes:
            return Generation(ABSTENTION, confidence=0.0, abstained=True)
        sums: dict[str, float] = {}
        for vote in votes:
            sums[vote.choice] = sums.get(vote.choice, 0.0) + vote.weight
        # Heaviest first, so that of equal sums the one with the heaviest case wins.
        winner = max(sums, key=lambda choice: sums[choice])
        winning = [vote for vote in votes if vote.choice == winner]
        confidence = sums[winner] / (sum(sums.values()) + self.doubt)
        return Generation(self._text(prompt.question, winning), confidence=confidence)

    def _votes(self, prompt: Prompt) -> list[Vote]:
        """Collect the votes, heaviest first."""
        language = language_of_prompt(prompt)
        ballot = ballot_of(prompt.question, language)
        by_picture = bool(prompt.question.images) and not self.words_alone
        votes = []
        for marker, hit in enumerate(prompt.evidence, start=1):
            choice = ballot(_answer(hit))
            weight = self._weight(prompt.question, hit, language, by_picture=by_picture)
            if choice is not None and weight > 0:
                votes.append(Vote(marker, hit, choice, weight))
        return sorted(votes, key=lambda vote: (-vote.weight, vote.marker))

    def _weight(self, question: Question, hit: Hit, language: str, *, by_picture: bool) -> float:
        if hit.passage.kind != "case":
            return 0.0
        close = closeness(hit) if by_picture else 1.0
        # Not of a picture, or of one that is unlike the one in question.
        if close is None or (by_picture and close < self.near):
            return 0.0
        share = common_share(
            content_stems(question.text, language),
            content_stems(str(hit.passage.fields.get("question") or ""), language),
            least=self.min_share,
            least_with_last=self.min_share / 2,
        )
        return float(share**self.word_power * close**self.picture_power)

    def _text(self, question: Question, winning: Sequence[Vote]) -> str:
        heaviest = winning[0]
        cited = sorted(vote.marker for vote in winning[: self.max_cited])
        said = f"{_worded(question, heaviest)} [{', '.join(map(str, cited))}]."
        if not self.quote:
            return said
        told = one_line(case_sentence(heaviest.hit.passage)).rstrip(" .")
        return f"{said} {told} [{heaviest.marker}]."


def ballot_of(question: Question, language: str) -> Ballot:
    """Say what the answers of cases vote for, by the form of the question.

    Args:
        language: of the cases' answers.

    Returns:
        From an answer to "Yes" or "No", to the letter of an option, or for an open question to the
        stems of the answer; None where it votes for none of them.
    """
    if is_polar(question, language):
        return _yes_or_no
    if question.options:
        options = [_stemmed(option, language) for option in question.options]
        return lambda answer: _letter(_stemmed(answer, language), options)
    return lambda answer: None if _bare_yes_or_no(answer) else _stemmed(answer, language) or None


def _check_positive(**numbers: float) -> None:
    for name, number in numbers.items():
        if not 0 < number < float("inf"):
            raise ValueError(f"{name} must be positive and finite, got {number}")


def _answer(hit: Hit) -> str:
    answer = hit.passage.fields.get("answer")
    return "" if answer is None else str(answer)


def _yes_or_no(answer: str) -> str | None:
    return {1: "Yes", -1: "No"}.get(answer_sign(answer))


def _bare_yes_or_no(answer: str) -> bool:
    return answer.strip(" .").lower() in ("yes", "no")


def _stemmed(answer: str, language: str) -> str:
    """Join the stems of an answer; its words where all are stop words, as in "both"."""
    return " ".join(stems(answer, language) or _WORD.findall(answer.lower()))


def _letter(answer: str, options: Sequence[str]) -> str | None:
    place = option_meant(answer, options)
    return None if place is None else _lettered(place)


def _lettered(place: int) -> str:
    return chr(ord("A") + place)


def _worded(question: Question, vote: Vote) -> str:
    """Word what won: the option with its letter, yes or no, or the answer of the case."""
    word = vote.choice
    if not question.options:
        said = word in ("Yes", "No")
        return word if said else capitalised(one_line(_answer(vote.hit)).rstrip(" ."))
    named = [option.strip(" .").capitalize() for option in question.options]
    place = named.index(word) if word in ("Yes", "No") else ord(word) - ord("A")
    return f"{_lettered(place)}. {one_line(question.options[place]).strip(' .')}"
