"""The loop: generate, call, tell, and generate again."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

from medrag.errors import BudgetSpentError, MedragError, MissingExtraError, RecipeError
from medrag.generation.calls import Call, Reading, read_calls
from medrag.generation.pictures import images_of
from medrag.generation.with_tools.talk import (
    Outcome,
    Talk,
    finished,
    in_question,
    outcome_of,
    outlined,
)
from medrag.generation.with_tools.telling import (
    NO_MORE,
    NO_ROOM,
    UNANSWERED,
    VERSION,
    Teller,
    instruction,
    quoted,
    way_on,
)
from medrag.images.pointing import unmarked
from medrag.language.joining import joined_parts
from medrag.protocols import Generator, Limited, Sampling, Streaming, Tool
from medrag.records import Exchange, Generation, ImageRef, Prompt, QuestionRegion

_MOST_CALLS = 4
_MOST_FAILURES = 2
# What a tool may meet in one call. A recipe that cannot be built and a library that is absent are
# not among them: every answer would silently go without the tool.
_FAILURES = (
    MedragError, OSError, RuntimeError, LookupError, ArithmeticError, TypeError, AttributeError,
)  # fmt: skip
_LET_THROUGH = (RecipeError, MissingExtraError, BudgetSpentError)

logger = logging.getLogger(__name__)


class ToolGenerator:
    """Let a generator use tools before it answers: think, act, think again.

    A reply is a call only if all of it is one (`medrag.generation.calls`); what stands in evidence
    or in the result of a tool is never taken for one. Pictures have numbers for the model: those of
    the question first, then those of the evidence, then those that tools gave. A tool that refuses
    its arguments, or fails, is told of, and the model may try once more; other prompts of a batch
    go on as if alone. Texts of tools are shown with their markers and tags of chat templates made
    harmless.

    `Generation.regions` are those of the tools and of the answer, in pixels of the question's
    pictures; `trace` has a mapping per call: "turn" and "tool", "arguments", and "text", "boxes"
    and "images" of its result, or "error". Usage is of all turns. What the generator can do beyond
    generating (say its limits, stream, sample) this one can as well.

    Args:
        generator: must follow instructions; reads `Prompt.turns`.
        tools: no two of one name; may be empty where `think_twice` is set.
        max_turns: replies with calls; then the model is asked to answer without.
        think_twice: ask the model to think again whenever it was shown a part. Where it names
            places without a tool, it is shown them outlined, once, before its answer counts.
        tokens_per_turn: room that is left free in the prompt for each turn.

    Raises:
        ValueError: if there is no tool, two have one name, or a number is out of range.

    Source:
        "Think Twice to See More" (ViTAR), arXiv 2510.10052, and VILA-M3, arXiv 2411.12915, whose
        loops these are; the models are not trained for it here.
    """

    def __init__(
        self,
        *,
        generator: Generator,
        tools: tuple[Tool, ...] = (),
        max_turns: int = 3,
        think_twice: bool = False,
        tokens_per_turn: int = 1024,
    ) -> None:
        if max_turns < 1:
            raise ValueError(f"max_turns must be at least 1, got {max_turns}")
        if tokens_per_turn < 0:
            raise ValueError(f"tokens_per_turn must be at least 0, got {tokens_per_turn}")
        if not tools and not think_twice:
            raise ValueError("tools is empty; name at least one, or set think_twice")
        self.generator = generator
        self.tools = {tool.name: tool for tool in tools}
        if len(self.tools) < len(tools):
            raise ValueError(f"two tools have one name: {', '.join(tool.name for tool in tools)}")
        self.max_turns = max_turns
        self.think_twice = think_twice
        self.tokens_per_turn = tokens_per_turn
        self.looks: bool = getattr(generator, "looks", True)
        # Set here and not in the class, so that whoever asks what this generator can do is told
        # what the one inside can.
        if hasattr(generator, "count_tokens"):
            self.count_tokens = self._count_tokens
        if hasattr(generator, "stream"):
            self.stream = self._stream
        if hasattr(generator, "sample"):
            self.sample = self._sample

    @property
    def name(self) -> str:
        """The generator inside, and the loop: equal for equal tools and settings."""
        tools = "+".join(str(getattr(tool, "identity", name)) for name, tool in self.tools.items())
        twice = ",think-twice" if self.think_twice else ""
        settings = f"v{VERSION},{self.max_turns}{twice}"
        return f"{self.generator.name}/with_tools({tools};{settings})"

    @property
    def room(self) -> int | None:
        """Tokens of a prompt, less what the turns may take."""
        room = cast("Limited", self.generator).room
        return None if room is None else max(1, room - self.max_turns * self.tokens_per_turn)

    @property
    def max_images(self) -> int | None:
        """Images of a prompt: one less for each turn, but half of what the model takes at least."""
        most = cast("Limited", self.generator).max_images
        return None if most is None else max((most + 1) // 2, most - self.max_turns)

    @property
    def trained_multi_image(self) -> bool:
        return cast("Limited", self.generator).trained_multi_image

    @property
    def context_pixels(self) -> int | None:
        return cast("Limited", self.generator).context_pixels

    @property
    def least_pixels(self) -> int:
        return cast("Limited", self.generator).least_pixels

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        """Answer each prompt, after as many turns as it needs.

        Raises:
            RecipeError: if a tool cannot be built.
            Exception: what the generator raises.
        """
        return [self._finished(talk) for talk in self._talked(prompts)]

    def _count_tokens(self, prompt: Prompt) -> int:
        """Count what a prompt takes with the instruction about tools."""
        return cast("Limited", self.generator).count_tokens(self._begun(prompt).prompt)

    def _sample(self, prompts: Sequence[Prompt], n: int) -> list[list[Generation]]:
        """Draw texts of the last turn; the turns before it are the same for all of a prompt."""
        talks = self._talked(prompts)
        drawn = cast("Sampling", self.generator).sample([talk.prompt for talk in talks], n)
        return [
            [self._finished(replace(talk, replies=(*talk.replies[:-1], each))) for each in several]
            for talk, several in zip(talks, drawn, strict=True)
        ]

    def _stream(self, prompt: Prompt, tell: Callable[[str], None]) -> Generation:
        """Answer one prompt and tell the answer while it comes.

        A text that may still turn out to be a call is held back until that is known. Where a reply
        was told and the model is asked again, `RESTARTED` is told, and then the next reply.
        """
        talk = self._begun(prompt)
        teller = Teller(tell)
        while not talk.done:
            generation = cast("Streaming", self.generator).stream(talk.prompt, teller)
            talk = self._next(talk, generation)
            teller.end_turn(answered=talk.done and not self._reading(generation).calls)
        answer = self._finished(talk)
        if not teller.told or answer.text == UNANSWERED:
            tell(answer.text)
        return answer

    def _talked(self, prompts: Sequence[Prompt]) -> list[Talk]:
        """Go on with all prompts of a batch together until each is answered."""
        talks = [self._begun(prompt) for prompt in prompts]
        while going := [place for place, talk in enumerate(talks) if not talk.done]:
            generations = self.generator.generate([talks[place].prompt for place in going])
            for place, generation in zip(going, generations, strict=True):
                talks[place] = self._next(talks[place], generation)
        return talks

    def _begun(self, prompt: Prompt) -> Talk:
        shown = dict.fromkeys(images_of(prompt))
        # A question that points at a place is shown with that place outlined.
        own = {unmarked(each) for each in prompt.question.images if isinstance(each, ImageRef)}
        asked = frozenset(each for each in shown if unmarked(each) in own)
        images = (*(i for i in shown if i in asked), *(i for i in shown if i not in asked))
        if self.tools:
            told = instruction(self.tools, images, asked)
            prompt = replace(prompt, parts=joined_parts(prompt.parts, told))
        return Talk(prompt, images)

    def _reading(self, generation: Generation) -> Reading:
        return read_calls(generation.text) if self.tools else Reading()

    def _finished(self, talk: Talk) -> Generation:
        return finished(talk, calls=bool(self.tools))

    def _next(self, talk: Talk, generation: Generation) -> Talk:
        talk = replace(talk, replies=(*talk.replies, generation))
        if talk.closed:
            return replace(talk, done=True)
        reading = self._reading(generation)
        if reading.calls:
            outcomes = [self._called(talk, call) for call in reading.calls[:_MOST_CALLS]]
            return self._told(talk, outcomes)
        if reading.trouble:
            step = {"turn": len(talk.replies), "tool": "", "error": reading.trouble}
            return self._told(talk, [Outcome(step, f"Not done: {reading.trouble}.", failed=True)])
        if self.think_twice and not talk.looked and (named := outlined(generation, talk)):
            return self._told(talk, [named])
        return replace(talk, done=True)

    def _called(self, talk: Talk, call: Call) -> Outcome:
        step = {"turn": len(talk.replies), "tool": call.tool, "arguments": dict(call.arguments)}
        tool = self.tools.get(call.tool)
        try:
            if tool is None:
                raise ValueError(f"there is no such tool; there are: {', '.join(self.tools)}")
            result = tool.call(call.arguments, talk.images)
            return outcome_of(result, talk, step)
        except _LET_THROUGH:
            raise
        except ValueError as error:
            problem = told = str(error)
        except _FAILURES as error:
            problem = f"{type(error).__name__}: {error}"
            told = "the tool failed; go on without it"
            logger.warning("the tool %s failed: %s", call.tool, problem)
        return Outcome({**step, "error": problem}, f"Not done: {told}.", failed=True)

    def _told(self, talk: Talk, outcomes: Sequence[Outcome]) -> Talk:
        """Give the model what came of its reply, and say how to go on."""
        failures = talk.failures + any(outcome.failed for outcome in outcomes)
        looked = any(outcome.images for outcome in outcomes)
        last = len(talk.replies) >= self.max_turns or failures >= _MOST_FAILURES or not self.tools
        numbered = _numbered(outcomes, len(talk.images))
        again, failed = looked and self.think_twice, outcomes[-1].failed
        turn = joined_parts(numbered, way_on(last=last, failed=failed, again=again))
        prompt = _with_turn(talk, turn)
        fits = self._fits(prompt)
        if not fits:
            words = [quoted(each.text) for each in outcomes]
            prompt = _with_turn(talk, joined_parts(words, NO_ROOM, NO_MORE))
        new = tuple(image for each in outcomes for image in each.images) if fits else ()
        return replace(
            talk,
            prompt=prompt,
            images=(*talk.images, *new),
            regions=(*talk.regions, *_places(talk, outcomes)),
            trace=(*talk.trace, *(outcome.step for outcome in outcomes)),
            failures=failures,
            looked=talk.looked or looked,
            # Where these pictures do not fit, further ones would not either.
            closed=last or not fits,
        )

    def _fits(self, prompt: Prompt) -> bool:
        if not hasattr(self.generator, "count_tokens"):
            return True
        limits = cast("Limited", self.generator)
        if limits.max_images is not None and len(images_of(prompt)) > limits.max_images:
            return False
        return limits.room is None or limits.count_tokens(prompt) <= limits.room


def _with_turn(talk: Talk, parts: tuple[str | ImageRef, ...]) -> Prompt:
    turns = (*talk.prompt.turns, Exchange(talk.replies[-1].text, parts))
    return replace(talk.prompt, turns=turns)


def _numbered(outcomes: Sequence[Outcome], n_known: int) -> list[str | ImageRef]:
    """Write what came of calls, each new picture behind its number; `n_known` have the first."""
    parts: list[str | ImageRef] = []
    for outcome in outcomes:
        parts.append(quoted(outcome.text))
        for image in outcome.images:
            n_known += 1
            parts += [f"Picture {n_known}:", image]
    return parts


def _places(talk: Talk, outcomes: Sequence[Outcome]) -> list[QuestionRegion]:
    """Give the regions of tools that lie in pictures of the question."""
    found = [
        in_question(region, talk.images, talk.prompt.question)
        for outcome in outcomes
        for region in outcome.regions
    ]
    return [region for region in found if region is not None]
