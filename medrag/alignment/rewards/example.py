"""What a policy is rewarded for: a prompt as it is read, and what counts as right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from medrag.prompting.fitting import fit
from medrag.protocols import Limited
from medrag.records import Answer, Item, Prompt, Selection
from medrag.retrieval.agentic import DecisionPath


@dataclass(frozen=True, slots=True)
class Example:
    """One prompt of training by rewards.

    Attributes:
        prompt: as at inference; `prompt.evidence` is what markers point to.
        item: the benchmark's row, for rewards that know the right answer; None without one.
        path: the right decision, for the router's reward.
        chain: the right answer to each question of a rule file, by the question's name; of an item
            its field "chain".
    """

    id: str
    prompt: Prompt
    item: Item | None = None
    path: DecisionPath | None = None
    chain: Mapping[str, str] = field(default_factory=dict, hash=False)


def examples_of(
    items: Sequence[Item],
    selections: Sequence[Selection] | None = None,
    *,
    template: str | None = None,
    generator: Limited | None = None,
) -> list[Example]:
    """Write the prompts of benchmark items as a pipeline writes them.

    Args:
        selections: what each item's prompt shows; None for nothing.
        template: of the prompts; None chooses by the question.
        generator: that the prompts must fit into; None for the whole prompt.

    Raises:
        ValueError: if items and selections differ in number, a question does not fit, or a field
            "chain" is no mapping.
        RecipeError: if there is no such template.
    """
    shown = [Selection(kept=())] * len(items) if selections is None else list(selections)
    if len(shown) != len(items):
        raise ValueError(f"{len(items)} items need as many selections, got {len(shown)}")
    prompts = [
        fit(item.question, each, template=template, generator=generator).prompt
        for item, each in zip(items, shown, strict=True)
    ]
    return [_of(item, prompt) for item, prompt in zip(items, prompts, strict=True)]


def examples_of_answers(items: Sequence[Item], answers: Sequence[Answer]) -> list[Example]:
    """Take the prompts that a run wrote down, those of its answers without an error.

    Args:
        answers: of the items, in their order.

    Raises:
        ValueError: if items and answers differ in number, or answer other questions.
    """
    if len(items) != len(answers):
        raise ValueError(f"{len(items)} items need as many answers, got {len(answers)}")
    examples = []
    for item, answer in zip(items, answers, strict=True):
        if answer.question.text != item.question.text:
            raise ValueError(
                f"the answer to item {item.id} is to {answer.question.text!r}, expected "
                f"{item.question.text!r}; give answers in the order of the items"
            )
        if answer.prompt:
            prompt = Prompt(answer.question, answer.selection.kept, answer.prompt, answer.template)
            examples.append(_of(replace(item, question=answer.question), prompt))
    return examples


def _of(item: Item, prompt: Prompt) -> Example:
    chain = item.fields.get("chain") or {}
    if not isinstance(chain, Mapping):
        raise ValueError(
            f"the field chain of item {item.id} must map questions to answers: {chain}"
        )
    return Example(item.id, prompt, item, chain={str(k): str(v) for k, v in chain.items()})
