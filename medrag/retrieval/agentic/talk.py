"""How far the agent has come with one query, and what it is told next."""

from dataclasses import dataclass, replace

from medrag.language import fenced
from medrag.language.joining import joined_parts
from medrag.protocols import Generator, Tool
from medrag.records import Exchange, Hit, ImageRef, Prompt, Question, ToolResult
from medrag.retrieval.agentic.budget import Budget, spent
from medrag.retrieval.agentic.routing import RoutedQuery
from medrag.retrieval.asking.replying import evidence_images, prompt_count, reply_room
from medrag.retrieval.asking.showing import (
    LONGEST_TEXT,
    Asked,
    Parts,
    fenced_query,
    hit_parts,
    question_images,
    written,
)
from medrag.retrieval.asking.wording import filled, wording

# After so many replies that ask for nothing that can be done, the agent is asked to sum up.
_MOST_FAILURES = 2


@dataclass(frozen=True, slots=True)
class Means:
    """What an agent works with: a model, and a tool to look closer, if there is one."""

    generator: Generator
    look: Tool | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A hit and those of its pictures that are on this machine, absolute."""

    hit: Hit
    images: tuple[ImageRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Talk:
    """One query and its pages.

    Attributes:
        begun: what might be spent on the query at first.
        left: what still may.
        prompt: what the agent is given next, with all turns so far.
        pages: by their number, the first being 1.
        last: the picture of the page that was shown last; None where none was shown.
        failures: replies that asked for nothing that could be done.
        closing: whether the agent was asked to sum up.
    """

    query: RoutedQuery
    begun: Budget
    left: Budget
    prompt: Prompt
    pages: tuple[Hit, ...]
    last: ImageRef | None = None
    failures: int = 0
    closing: bool = False


def begin(question: Question, query: RoutedQuery, page: Page, left: Budget, means: Means) -> Talk:
    """Write the first prompt: the question, the query, and the page that was found for it.

    Raises:
        ValueError: if the question does not fit even alone.
    """
    shown = page.images[: _room_for(left, question, means.generator)]
    closing = left.turns <= 1
    after = spent(left, images=len(shown))
    told = {
        "query": fenced_query(query.text),
        "way_on": way_on(after, means.look if shown else None, closing=closing),
    }
    asked = Asked(question, (page.hit,), (shown,), told)
    prompt = written(asked, wording(__package__, "agent"), means.generator)
    # The prompt may show fewer, so that it fits.
    kept = [image for image in prompt.parts if isinstance(image, ImageRef) and image in shown]
    after = spent(left, images=len(kept))
    last = kept[-1] if kept else None
    return Talk(query, left, after, prompt, (page.hit,), last, closing=closing)


def way_on(left: Budget, look: Tool | None, *, closing: bool) -> str:
    """Say what the agent may reply next."""
    texts = wording(__package__, "agent").texts
    if closing:
        return texts["close"]
    actions = [texts["search"]] if left.searches > 0 else []
    if look is not None and left.images > 0:
        actions.append(filled(texts["bbox"], {"about": look.about}))
    numbers = {"turns": left.turns, "searches": left.searches, "images": left.images}
    return filled(texts["act"], {"actions": "\n".join(actions), **numbers})


def shown_page(talk: Talk, reply: str, page: Page, means: Means) -> Talk:
    """Show a further page; where there is no room for it, ask to sum up."""
    texts = wording(__package__, "agent").texts
    shown = page.images[: _room_for(talk.left, talk.prompt.question, means.generator, talk.prompt)]
    number = len(talk.pages) + 1
    parts = (texts["page"], *hit_parts(number, page.hit, shown, most=LONGEST_TEXT))
    with_page = replace(
        talk,
        left=spent(talk.left, images=len(shown)),
        pages=(*talk.pages, page.hit),
        last=shown[-1] if shown else None,
        prompt=replace(talk.prompt, evidence=(*talk.prompt.evidence, page.hit)),
    )
    return _told(with_page, reply, parts, means) or _no_room(talk, reply)


def shown_part(talk: Talk, reply: str, result: ToolResult, means: Means) -> Talk:
    """Show what a closer look gave, and what the tool says of it."""
    texts = wording(__package__, "agent").texts
    room = _room_for(talk.left, talk.prompt.question, means.generator, talk.prompt)
    shown = result.images[:room]
    if not shown:
        return _no_room(talk, reply)
    said = f"<<<\n{fenced(result.text)[:LONGEST_TEXT]}\n>>>"
    parts: Parts = (filled(texts["crop"], {"page": len(talk.pages)}), said, *shown)
    with_part = replace(talk, left=spent(talk.left, images=len(shown)))
    return _told(with_part, reply, parts, means) or _no_room(talk, reply)


def refused(talk: Talk, reply: str, problem: str, means: Means) -> Talk:
    """Say why a reply could not be followed."""
    texts = wording(__package__, "agent").texts
    talk = replace(talk, failures=talk.failures + 1)
    parts = (filled(texts["mend"], {"problem": fenced(problem)}),)
    return _told(talk, reply, parts, means) or _no_room(talk, reply)


def _told(talk: Talk, reply: str, parts: Parts, means: Means) -> Talk | None:
    """Go on with parts and what may follow them; None where that is too much to be paid or read."""
    generator = means.generator
    can_look = means.look if talk.last is not None else None
    closing = talk.left.turns <= 1 or talk.failures >= _MOST_FAILURES
    prompt = _with_turn(talk.prompt, reply, parts, way_on(talk.left, can_look, closing=closing))
    count = prompt_count(generator, prompt).tokens
    cost = count + reply_room(generator)
    room = getattr(generator, "room", None)
    if cost > talk.left.tokens or (isinstance(room, int) and count > room):
        return None
    # Another turn would take as much again, and what came of it.
    if not closing and 2 * cost + reply_room(generator) > talk.left.tokens:
        closing = True
        prompt = _with_turn(talk.prompt, reply, parts, way_on(talk.left, None, closing=True))
    return replace(talk, prompt=prompt, closing=closing)


def _no_room(talk: Talk, reply: str) -> Talk:
    texts = wording(__package__, "agent").texts
    prompt = _with_turn(talk.prompt, reply, (texts["no_room"],), texts["close"])
    return replace(talk, prompt=prompt, closing=True)


def _with_turn(prompt: Prompt, reply: str, parts: Parts, after: str) -> Prompt:
    turn = Exchange(reply, joined_parts(parts, after))
    return replace(prompt, turns=(*prompt.turns, turn))


def _room_for(
    left: Budget, question: Question, generator: Generator, prompt: Prompt | None = None
) -> int:
    """Say how many more pictures may be shown."""
    if prompt is None:
        n_shown = len(question_images(question, generator))
    else:
        parts = (*prompt.parts, *(part for turn in prompt.turns for part in turn.parts))
        n_shown = sum(isinstance(part, ImageRef) for part in parts)
    most = evidence_images(generator, n_shown)
    return max(0, left.images if most is None else min(left.images, most))
