"""From a server's reply to a generation."""

from collections.abc import Mapping
from typing import Literal

from medrag.generation.regions import Shown, quantities_of, regions_of
from medrag.generation.remote.facts import Facts
from medrag.generation.remote.probabilities import aligned
from medrag.generation.remote.replies import Reply
from medrag.generation.reply import answer_span
from medrag.language.known import prompt_language
from medrag.records import Generation, Prompt, QuestionRegion, Usage

# In the words of OpenAI, Mistral and Anthropic. A filter that stops a text cuts it as well.
_CUT = frozenset({"length", "max_tokens", "model_length", "content_filter"})


def generation_of(
    prompt: Prompt,
    reply: Reply,
    facts: Facts,
    shown: Mapping[int, Shown],
    *,
    thinking: bool,
    usage: Usage,
) -> Generation:
    """Read the answer out of a reply: its thoughts, its places and numbers, its probabilities.

    Args:
        shown: sizes of the question's images that were shown, by their place in the question.
        thinking: whether the reply begins inside thoughts that the server does not set apart.
    """
    span = answer_span(reply.text, facts.tags, thinking=thinking and not reply.thoughts)
    text = reply.text[span.start : span.end]
    return Generation(
        text,
        log_probabilities=(
            aligned(reply.tokens, reply.text, span.start, span.end) if reply.tokens else None
        ),
        usage=usage,
        finish_reason=_finish(reply, has_answer=span.closed and bool(text or not reply.thoughts)),
        abstained=reply.refused,
        thoughts="\n\n".join(filter(None, (reply.thoughts.strip(), span.thoughts))),
        regions=_regions(text, prompt, facts, shown),
        quantities=quantities_of(text, language=prompt_language(prompt)),
    )


def _finish(reply: Reply, *, has_answer: bool) -> Literal["stop", "length", "unclosed"]:
    if not has_answer:
        return "unclosed"
    return "length" if reply.finish in _CUT else "stop"


def _regions(
    text: str, prompt: Prompt, facts: Facts, shown: Mapping[int, Shown]
) -> tuple[QuestionRegion, ...]:
    if facts.coordinates is None or not shown:
        return ()
    every = [shown.get(place) for place in range(max(shown) + 1)]
    return regions_of(text, facts.coordinates, every, n_evidence=len(prompt.evidence))
