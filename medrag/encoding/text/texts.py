"""What is read of passages and questions."""

from collections.abc import Sequence

from medrag.protocols import Side
from medrag.records import Passage, Question

# A title, or "", and the text under it.
Text = tuple[str, str]


def passage_text(passage: Passage) -> Text:
    """Give the title, or "", and the text of a passage."""
    title = str(passage.fields.get("title") or "")
    return encodable(title).strip(), encodable(passage.text).strip()


def passage_texts(passages: Sequence[Passage]) -> list[Text]:
    return [passage_text(each) for each in passages]


def question_text(question: Question) -> Text:
    """Give no title, and a question's text with its options, one per line."""
    return "", encodable("\n".join((question.text, *question.options))).strip()


def question_texts(questions: Sequence[Question], side: Side) -> list[Text]:
    """Give the texts of questions to an encoder that reads nothing else.

    Raises:
        ValueError: if the images are asked for.
    """
    if side != "text":
        raise ValueError(f"this encoder is asked by texts, not the side {side!r}")
    return [question_text(each) for each in questions]


def encodable(text: str) -> str:
    """Replace lone surrogates, which JSON and a command line may hold, and no tokenizer takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def joined(title: str, text: str) -> str:
    """Write a text under its title, as models of one segment read them."""
    return "\n".join(filter(None, (title, text)))
