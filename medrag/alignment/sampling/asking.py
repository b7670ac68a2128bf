"""Items made ready for pairs: what a model is asked, what is right, and what is not."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from medrag.alignment.noise import Noise
from medrag.alignment.pairs import Family, PreferencePair, check_pair, pictures_of, reference_text
from medrag.errors import MedragError
from medrag.evaluation.parsed import Abstained
from medrag.evaluation.parsing import parse_answer
from medrag.evaluation.runs.identifiers import without_identifiers
from medrag.evaluation.scorers.correctness import is_right, is_right_closed
from medrag.evaluation.scorers.protocol import Case
from medrag.evaluation.text_measures.normalising import tokens
from medrag.language import fenced, printable, untagged, without_markers
from medrag.pipeline import prepared
from medrag.prompting import build_prompt
from medrag.records import Answer, Generation, Item, Prompt, Question, Selection
from medrag.retrieval.asking.replying import problem_of
from medrag.retrieval.asking.showing import question_text
from medrag.retrieval.asking.wording import Wording, filled, wording

NO_REFERENCE = "the item has no reference"
EQUAL = "the answer says what the reference says"
EMPTY = "the answer is empty"
CUT = "the answer was cut"
DECLINED = "the answer declines"
# Characters of one answer that a judge reads.
_LONGEST = 3000
# What models write before a text that was asked for alone, and around it.
_LEAD = re.compile(r"(?:the\s+)?(?:wrong|incorrect)?\s*answer\s*:\s*", re.IGNORECASE)
_QUOTES = {'"': '"', "'": "'", "“": "”", "«": "»"}


@dataclass(frozen=True, slots=True)
class Made:
    """Pairs, and why there are no more.

    Attributes:
        pairs: in the order of the items.
        left_out: items without a pair, by reason.
    """

    pairs: tuple[PreferencePair, ...]
    left_out: Mapping[str, int] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Ready:
    """An item whose question can be asked.

    Attributes:
        given: the item's id as it was given, which may hold an identifier.
        item: with its question prepared: pictures hashed, no identifiers.
        prompt: as a model is asked it, without evidence.
        right: the right answer, as the prompt asks for it.
    """

    given: str
    item: Item
    prompt: Prompt
    right: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """A wrong answer, or why there is none."""

    text: str = ""
    problem: str = ""


def ready(
    items: Iterable[Item], *, template: str | None, key: bytes | None, left_out: Counter[str]
) -> list[Ready]:
    """Prepare items, and leave out those without a reference, which are counted.

    Raises:
        MedragError: if a picture cannot be read; names the question.
        RecipeError: if there is no such template.
    """
    given = list(items)
    named = without_identifiers(given, key)
    questions = prepared([item.question for item in named], key)
    found = []
    for before, item, question in zip(given, named, questions, strict=True):
        right = reference_text(item)
        if not right:
            left_out[NO_REFERENCE] += 1
            continue
        prompt = build_prompt(question, Selection(()), template=template)
        found.append(Ready(before.id, replace(item, question=question), prompt, right))
    return found


def pair_of(
    each: Ready, rejected: str, family: Family, benchmark: str, noise: Noise | None = None
) -> PreferencePair:
    """Make the pair of an item and what is rejected; a noise is for all of its pictures."""
    question = each.item.question
    pair = PreferencePair(
        id=f"{benchmark}/{each.item.id}/{family}",
        prompt=each.prompt.parts,
        chosen=each.right,
        rejected=rejected,
        family=family,
        noise=noise,
        noised=tuple(range(len(pictures_of(each.prompt.parts)))),
        domain=question.domain,
        subject=question.subject,
        study=question.study,
        source_ids=(each.item.id,),
    )
    check_pair(pair)
    return pair


def problem_with(each: Ready, text: str, finish_reason: str = "stop") -> str:
    """Say why a text cannot be a rejected answer; empty if it can.

    Equal to the reference counts as right, whatever case, articles and punctuation; so does what
    the rules of evaluation find right. Another answer to a closed question is none of these.
    """
    if not text.strip():
        return EMPTY
    if finish_reason != "stop":
        return CUT
    parsed = parse_answer(text, each.item)
    if isinstance(parsed, Abstained):
        return DECLINED
    case = Case(each.item, Answer(each.item.question, text), parsed)
    right = is_right_closed(case) if each.item.closed else is_right(case)
    return EQUAL if right or same_words(text, each.right) else ""


def same_words(one: str, other: str) -> bool:
    """Tell whether two texts differ in nothing but case, punctuation and forms of characters."""
    said, meant = tokens(one), tokens(other)
    return said == meant if said or meant else one.strip() == other.strip()


def cleaned(text: str) -> str:
    """Make what a model wrote fit to be an answer: no markers, no tags, nothing hidden, no quotes.

    A lead such as "Wrong answer:" goes, too.
    """
    bare = without_markers(untagged(printable(text))).strip()
    bare = _LEAD.sub("", bare, count=1) if _LEAD.match(bare) else bare
    if len(bare) > 1 and _QUOTES.get(bare[0]) == bare[-1] and bare.count(bare[-1]) <= 2:
        bare = bare[1:-1].strip()
    return bare


def asked(name: str, each: Ready, values: Mapping[str, object], *, with_pictures: bool) -> Prompt:
    """Write what a judge or a writer is told of an item: all of it fenced.

    Args:
        name: of the text in `hallucinating.yaml`.
        values: of further placeholders.
        with_pictures: show the pictures of the question before the words.
    """
    shown = {
        "question": question_text(each.item.question),
        "right": fenced(each.right[:_LONGEST]),
        **values,
    }
    text = filled(words().texts[name], shown)
    pictures = pictures_of(each.prompt.parts) if with_pictures else ()
    return Prompt(Question(text, images=pictures), evidence=(), parts=(*pictures, text))


def numbered(texts: Sequence[str]) -> str:
    """Write answers with their numbers from 1, each in a fence."""
    form = words().texts["answer"]
    return "\n".join(
        filled(form, {"number": number, "text": fenced(text[:_LONGEST])})
        for number, text in enumerate(texts, start=1)
    )


def words() -> Wording:
    return wording("medrag.alignment.sampling", "hallucinating")


def check_any_reply(outcomes: Sequence[object], who: str) -> None:
    """Refuse to go on where a model failed on every prompt.

    Raises:
        MedragError: if it did; says why on the first.
    """
    failed = [each for each in outcomes if isinstance(each, Exception)]
    if failed and len(failed) == len(outcomes):
        raise MedragError(f"{who} failed on all {len(failed)} prompts: {problem_of(failed[0])}")


def failed_reply(who: str, reply: Generation | Exception) -> str:
    """Name a reply that did not come, without what differs from item to item."""
    return f"{who} failed ({type(reply).__name__})"
