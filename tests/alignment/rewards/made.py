"""Examples and replies for tests of rewards."""

from hypothesis import strategies as st

from medrag.alignment.rewards import Example
from medrag.records import Hit, Item, Passage, Prompt, Question, Source

# Tags, markers, calls and what else a policy may write in any order, with controls and half pairs.
PIECES = ("<think>", "</think>", "<answer>", "</answer>", "yes", "no", "A", "B.", "[1]", "[9]",
          "[1-3]", "3 cm", "[0, 0, 10, 10]", "\n", "\x00", "\u202e", "\ud800", "effusion:",
          "<tool_call>", "</tool_call>", '{"name": "rag"', "\\boxed{", "}", "[", "。", "ı", "İ",
          "The heart is enlarged", " ", ": ")  # fmt: skip
ODD = ("", " ", "\x00\x1b\u202e\ud800", "[" * 5000, "<think>" * 5000, "yes no " * 5000,
       "a" * 100_000, "\n" * 100_000, "effusion: yes\n" * 7000, "[1]" * 30_000)  # fmt: skip


def replies() -> st.SearchStrategy[str]:
    """Draw replies of pieces and of any characters."""
    pieces = st.lists(st.sampled_from(PIECES), max_size=20).map("".join)
    return st.one_of(pieces, st.text(max_size=80))


def example(item: Item | None = None, *, evidence: tuple[str, ...] = ()) -> Example:
    """Make an example whose evidence is reports of these texts."""
    question = Question("Is the heart enlarged?") if item is None else item.question
    hits = tuple(
        Hit(Passage(f"p{n}", "text", text, Source("c", "d", "0")), 1.0, n, "")
        for n, text in enumerate(evidence, start=1)
    )
    return Example("one", Prompt(question, hits, (question.text,)), item)


def closed(reference: str = "yes") -> Item:
    """Make an item of yes or no."""
    return Item("i", Question("Is the heart enlarged?"), (reference,), "yes_no", True)


def choice() -> Item:
    """Make an item of two options, of which B is right."""
    return Item("i", Question("Which?", options=("lung", "liver")), ("liver",), "choice", True)
