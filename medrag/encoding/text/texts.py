"""What is read of passages and questions."""

from medrag.records import Passage, Question

# A title, or "", and the text under it.
Text = tuple[str, str]


def passage_text(passage: Passage) -> Text:
    """Give the title, or "", and the text of a passage."""
    return str(passage.fields.get("title") or "").strip(), passage.text.strip()


def question_text(question: Question) -> Text:
    """Give no title, and a question's text with its options, one per line."""
    return "", "\n".join((question.text, *question.options)).strip()


def joined(title: str, text: str) -> str:
    """Write a text under its title, as models of one segment read them."""
    return "\n".join(filter(None, (title, text)))
