"""Statements of which only one can be so: where a lesion lies, what it is, what caused it."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from medrag.verification.concepts import keys_of, light_keys, soft_keys
from medrag.verification.reading import Unit

_BE = r"(?:is|are|was|were|has\s+been|had\s+been)"
_LINKS = (
    ("cause", rf"(?:{_BE}\s+)?(?:most\s+likely\s+)?(?:due\s+to|caused\s+by|secondary\s+to|"
              r"attribut(?:ed|able)\s+to|explained\s+by|induced\s+by|triggered\s+by)|"
              r"result(?:s|ed)\s+from"),
    ("place", rf"(?:lies|lie|lay|sits|ends?|terminates?|projects?|rests?|{_BE}"
              r"(?:\s+(?:\w+ly\s+)?(?:located|situated|found|seen|felt|heard|present|cent(?:er|"
              r"re)d|"
              r"locali[sz]ed|confined|placed))?)\s+(?:with)?(?:in|at|on|to|over)"),
    ("origin", r"(?:arises?|arose|originat(?:es?|ed)|(?:is|was)\s+derived|stems?|comes?|came)\s+"
               r"(?:from|in|within)"),
    ("involve", r"involv(?:es?|ed)|affect(?:s|ed)|occup(?:ies|ied)"),
    ("into", r"(?:drains?|opens?|empties|inserts?|attach(?:es)?)\s+(?:in)?(?:to|on)"),
    ("by", rf"{_BE}\s+(?:supplied|innervated|drained|encoded|produced|secreted|transmitted|lined|"
           r"synthesi[sz]ed)\s+by"),
    ("test", r"shows?|showed|reveals?|revealed|confirms?|confirmed|demonstrates?|demonstrated|grew|"
             r"yields?|yielded|identifie[sd]"),
    ("from", rf"{_BE}\s+(?:removed|excised|resected|taken|obtained|isolated|harvested)\s+from"),
    ("with", rf"(?:{_BE}\s+)?(?:treated|managed)\s+with|takes|receives|received|was\s+given"),
    ("is", r"represents?|represented|proved\s+to\s+be|turned\s+out\s+to\s+be|being|is|was|are|"
           r"were"),
)  # fmt: skip
# What tells the nature of something by being looked at.
_TESTS = re.compile(
    r"\b(?:biops\w+|histolog\w+|histopatholog\w+|patholog\w+|cytolog\w+|cultures?|microscop\w+|"
    r"specimens?|smears?|swabs?|scrapings?|sputum|lavage|washings?|aspirat\w+|stains?|serolog\w+|"
    r"pcr|genotyp\w+|resection)\b",
    re.IGNORECASE,
)
# Of these there is one.
_ONE = re.compile(
    r"\b(?:antibiotic|antidote|agent|vaccine|virus|bacterium|germ|parasite|allergen|toxin|poison|"
    r"hormone|enzyme|gene|vector|host|source|site|procedure|operation|method|drug|"
    r"culprit|trigger)(?:\s+(?:found|isolated|identified|involved|injured|given|used|responsible))?"
    r"\W*\Z|\b(?:diagnosis|organism|pathogen|species|strain|genotype|serotype|blood\s+group|"
    r"causative\s+\w+|(?:drug|treatment|therapy|choice|method|"
    r"investigation|test)\s+of\s+choice|first-line\s+\w+|gold\s+standard|most\s+common\s+\w+|"
    r"commonest\s+\w+|main\s+\w+|leading\s+\w+|primary\s+\w+|largest\s+\w+|smallest\s+\w+|"
    r"longest\s+\w+|cause\s+of|(?:commonest|largest|longest|smallest)(?=\W*\Z)|"
    r"predominant\s+\w+)\b",
    re.IGNORECASE,
)
_ONLY = re.compile(r"\b(?:only|alone|solely|exclusively|just)\b", re.IGNORECASE)
# "The germ caused the abscess": as "the abscess was caused by the germ".
_CAUSED = re.compile(
    r"(?P<core>.+?)\b(?:caused|causes|triggered|induced|(?:is|was)\s+(?:responsible\s+for|the\s+"
    r"cause\s+of))\s+(?P<subject>(?:the|this|her|his|its|their)\b.+)",
    re.IGNORECASE,
)
_CAUSE_OF = re.compile(
    r"\W*the\s+(?:cause|source|trigger|causative\s+\w+)\s+of\s+(?P<subject>.+?)\s+(?:is|was)\s+"
    r"(?P<core>.+)",
    re.IGNORECASE,
)
_PERSON = re.compile(r"\W*(?:he|she|they|(?:the|this)\s+patient)\b", re.IGNORECASE)
_DEFINITE = re.compile(r"\W*(?:the|this|that|his|her|its|their)\b", re.IGNORECASE)
_ARTICLE = re.compile(r"\s*(?:an?|the)\b", re.IGNORECASE)
_ENDS = re.compile(
    r"[,;(]|\b(?:but|which|that|rather|instead|not|with|without|after|before|because|during|and|"
    r"who|where|while|as|since)\b",
    re.IGNORECASE,
)
_BESIDES = re.compile(
    r"\band\s+(?:\w+ly\s+)?\w+(?:ed|s)\s+(?:in|by|to|from|into|at|on|the|an?|its?|them)\b",
    re.IGNORECASE,
)
_LISTED = re.compile(r"\b(?:and|or)\b", re.IGNORECASE)
_BESIDE = re.compile(
    r"\b(?:near|beside|besides|adjacent|next|close|above|below|behind|between|outside|opposite)\b",
    re.IGNORECASE,
)
_TAIL = re.compile(r"\b(?:of|in|on|at|from|for|to|near|between|within)\b", re.IGNORECASE)
# Sides are compared by themselves.
_SIDES = frozenset({"left", "right", "bilater"})
_WORD = re.compile(r"[^\W\d_]+[0-9]*")
_LINK = re.compile(
    "|".join(rf"(?P<{name}>\b(?:{pattern})\b)" for name, pattern in _LINKS), re.IGNORECASE
)


_PREPOSITION = re.compile(
    r"\b(?:(?P<place>in|into|inside|within|on|onto|at|under|beneath|below|above|over|behind|"
    r"between)|"
    r"(?P<source>from)|(?P<means>by|through|via)|(?P<goal>to|towards?))\b",
    re.IGNORECASE,
)
_NOUN_END = re.compile(
    r"[,;:(]|\b(?:and|or|with|after|before|during|because|when|that|which|who|while|but|of|for|in|"
    r"into|"
    r"within|on|at|under|below|above|over|from|by|through|to|is|are|was|were|has|have|had)\b",
    re.IGNORECASE,
)
# What a body does in one place.
_PROCESS = re.compile(
    r"\b(?:is|are)\s+(?:\w+ly\s+)?(?:produced|made|formed|synthesi[sz]ed|secreted|absorbed|"
    r"activated|"
    r"converted|excreted|stored|metaboli[sz]ed|degraded|released)\b",
    re.IGNORECASE,
)
_MANY_PLACES = frozenset({"place", "goal"})
_SOMETIMES = re.compile(
    r"\b(?:may|can|might|could|often|sometimes|usually|also|commonly|frequently|typically|mainly|"
    r"rarely|occasionally|found|seen|noted|present|felt)\b",
    re.IGNORECASE,
)


class Statement(NamedTuple):
    """What is said of a subject.

    Attributes:
        link: by which kind of verb.
        subject, rest: what stands before and behind the verb, without what is only near.
        core: of what stands behind, the first part.
        one: whether no other can be said of the same subject.
    """

    link: str
    subject: frozenset[str]
    core: frozenset[str]
    rest: frozenset[str]
    one: bool


@lru_cache(maxsize=1 << 14)
def statement(clause: str) -> Statement | None:
    """Read the first such statement of a clause, one of which only one is so before others."""
    found: list[Statement] = []
    if caused := _CAUSED.fullmatch(clause):
        core, subject = _keys(caused["core"]), _keys(_ENDS.split(caused["subject"])[0])
        if core and subject:
            found.append(Statement("cause", subject, core, core, one=True))
    if named := _CAUSE_OF.fullmatch(clause):
        core, subject = _keys(_ENDS.split(named["core"])[0]), _keys(named["subject"])
        if core and subject:
            found.append(Statement("cause", subject, core, core, one=True))
    for match in _LINK.finditer(clause):
        before, after = clause[: match.start()], clause[match.end() :]
        after = _BESIDES.split(after, maxsplit=1)[0]
        subject = _keys(before)
        if not subject and not _PERSON.match(before):
            continue
        link = str(match.lastgroup)
        if link == "is" and _ONE.search(after) and not _ONE.search(before):
            # "X is the drug of choice": as "the drug of choice is X".
            before, after = after, before
            subject = _keys(before)
        listed = _ENDS.search(_LISTED.sub(lambda found: "/" * len(found.group()), after))
        rest = _BESIDE.split(after[: listed.start()] if listed else after, maxsplit=1)[0]
        end = _ENDS.search(after)
        whole = after[: end.start()] if end else after
        tail = _TAIL.search(whole)
        core = _keys(whole[: tail.start()] if tail else whole)
        if not core:
            continue
        found.append(Statement(link, subject, core, _keys(rest), _is_one(link, before, after)))
    return max(found, key=lambda each: each.one, default=None)


def excludes(evidence: Unit, claim: Unit) -> bool:
    """Tell whether the evidence says of the same subject what leaves no room for the claim."""
    said = statement(claim.text)
    if said is None or claim.denied or claim.hedged:
        return False
    if not said.one and not _ONLY.search(evidence.text):
        return False
    there = statement(evidence.text)
    if there is None or said.link != there.link or not _same_subject(said.subject, there):
        return False
    mine = _hard(said.core) - there.rest
    others = _hard(there.core) - said.rest - said.subject
    alike = (said.core & there.core) - said.subject
    if said.link == "is" and alike and not _ONE.search(claim.text):
        return False  # a small bone, a long bone: both may be so
    return bool(mine) and not others.isdisjoint(evidence.affirmed)


def _hard(keys: frozenset[str]) -> frozenset[str]:
    return keys - soft_keys() or keys


def moved(evidence: Unit, claim: Unit) -> bool:
    """Tell whether the evidence says the same of another place, source or means.

    The claim's words up to a preposition must be there, and another noun behind the like
    preposition. Of a thing that is not a certain one, only its source or means is one.
    """
    if claim.denied or claim.hedged or _PERSON.match(claim.text) or _SOMETIMES.search(claim.text):
        return False
    definite = bool(_DEFINITE.match(claim.text))
    return any(
        kind == other and not one <= evidence.keys and lead <= before and another - claim.keys
        for kind, lead, one in _placed(claim)
        if definite or kind not in _MANY_PLACES or _PROCESS.search(claim.text)
        for other, before, another in _placed(evidence)
    )


def _placed(unit: Unit) -> Iterator[tuple[str, frozenset[str], frozenset[str]]]:
    """Give each preposition by its kind, with the words before it and those of its noun."""
    soft = soft_keys()
    for match in _PREPOSITION.finditer(unit.text):
        end = _NOUN_END.search(unit.text, match.end())
        low, high = unit.start + match.end(), unit.start + (end.start() if end else len(unit.text))
        before = frozenset(t.key for t in unit.tokens if t.place < low and not t.denied) - soft
        noun = frozenset(t.key for t in unit.tokens if low <= t.place < high) - soft
        if before and noun and not noun & before:
            yield str(match.lastgroup), before, noun


def states(evidence: Unit, claim: Unit) -> bool:
    """Tell whether the evidence says the claim's very statement."""
    said, there = statement(claim.text), statement(evidence.text)
    return (
        said is not None
        and there is not None
        and said.link == there.link
        and _same_subject(said.subject, there)
        and _hard(said.core) <= there.rest
    )


def _same_subject(subject: frozenset[str], there: Statement) -> bool:
    hard = subject - soft_keys()
    return hard <= there.subject if hard else subject <= there.subject


def _is_one(link: str, before: str, after: str) -> bool:
    if link == "test":
        return bool(_TESTS.search(before))
    if _ONE.search(before) or link in ("by", "origin"):
        return True
    if link == "with":
        return False
    if link == "is":
        return bool(_DEFINITE.match(before) and _ARTICLE.match(after))
    return bool(_DEFINITE.match(before))


def _keys(text: str) -> frozenset[str]:
    found = (key for m in _WORD.finditer(text) for key in keys_of(m.group().lower(), "en"))
    return frozenset(found) - light_keys() - _SIDES
