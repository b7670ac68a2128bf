"""A prompt in the words of a model's chat template, and what no text of a prompt may say in them.

A template turns messages into one text with a placeholder for each picture. Some take a message as
parts, some move the pictures of a message before its words, some take words alone, and a model that
was never taught to chat has none. Which it is, is found by trying.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from medrag.errors import RecipeError
from medrag.records import ImageRef, Prompt

Form = Literal["parts", "inline", "text", "plain"]

# A message as parts; as one part of words that holds the placeholders; as words that hold them.
_FORMS: tuple[tuple[Form, Form], ...] = (
    ("parts", "parts"), ("parts", "text"), ("inline", "inline"), ("inline", "text"),
    ("text", "text"),
)  # fmt: skip
_SPOTS = ("Qvaja", "Qvbjb", "Qvcjc", "Qvdjd")
# What stands for a role without being a special token, as "ASSISTANT:" or "[/INST]".
_ROLE = re.compile(r"[A-Za-z]+:|\W+[A-Za-z_]+\W*[\]>}]")
_SPECIAL = ("image_token", "video_token", "audio_token", "boi_token", "eoi_token")


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """How a processor writes a conversation.

    Attributes:
        asks: the form of what the user says; "plain" where there is no template.
        replies: the form of what the model says.
        mark: what stands for a picture in words; "" for a model of texts.
        placeholder: what of it the processor replaces, once for each picture.
        reserved: finds what only the template may say: special tokens, and words that begin a turn.
        ends: the special token that ends a reply; "" where none does, or it is not known.
    """

    asks: Form
    replies: Form
    mark: str
    placeholder: str
    reserved: re.Pattern[str]
    ends: str = ""


def chat_template(processor: Any, *, spare: str = "") -> ChatTemplate:
    """Find out which form of messages the template of a processor takes.

    Args:
        processor: of transformers, or the tokenizer of a model of texts.
        spare: a template that it gets if it has none; "" for plain text.

    Raises:
        RecipeError: if it takes none that keeps pictures and words in their order.
    """
    mark, placeholder = _image_mark(processor)
    special = _special(processor)
    if spare and not _stored(processor):
        processor.chat_template = spare
    if not _stored(processor):
        return ChatTemplate("plain", "plain", mark, placeholder, _pattern(special))
    trouble = ""
    # Some templates know only one question and no answer.
    for n_messages in (3, 1):
        for asks, replies in _FORMS if mark else reversed(_FORMS):
            told = ChatTemplate(asks, replies, mark, placeholder, _pattern(special))
            try:
                text = _written(processor, told, _said_to_try(mark)[:n_messages])
            except Exception as error:  # noqa: BLE001 - a template raises what it likes
                trouble = trouble or str(error)
                continue
            if _in_order(text, placeholder, n_messages):
                reserved = _pattern([*special, *_roles(text, special)])
                ends = _ending(text, special)
                return ChatTemplate(asks, replies, mark, placeholder, reserved, ends)
            trouble = trouble or f"it wrote {text[:200]!r}"
    raise RecipeError(
        f"the chat template of {type(processor).__name__} keeps pictures and words in no order "
        f"that is known here ({trouble}); serve the model and use kind: remote"
    )


def conversation(
    processor: Any, template: ChatTemplate, prompt: Prompt, *, suffix: str = ""
) -> str:
    """Write a prompt and its turns as one text, up to where the model's next reply begins.

    Args:
        suffix: trusted words that end the first message, which may use special tokens.

    Returns:
        The text, with one placeholder for each image of `medrag.generation.pictures.images_of`.

    Raises:
        RecipeError: if the template refuses the conversation.
    """
    said: list[Sequence[str | bool]] = [_spoken(prompt.parts, template, suffix)]
    for turn in prompt.turns:
        said += [_spoken([turn.reply], template), _spoken(turn.parts, template)]
    try:
        return _written(processor, template, said)
    except Exception as error:
        raise RecipeError(
            f"the chat template of {type(processor).__name__} refuses a conversation of "
            f"{len(said)} messages ({error}); serve the model and use kind: remote"
        ) from error


def neutral(text: str, template: ChatTemplate) -> str:
    """Rewrite what a text says in words that only the template may use: "<image>" as "(image)"."""
    while (changed := template.reserved.sub(_bare, text)) != text:
        text = changed
    return text


def _spoken(
    parts: Iterable[str | ImageRef], template: ChatTemplate, suffix: str = ""
) -> list[str | bool]:
    """Turn the parts of one message into words, and True for each picture.

    Words that follow each other are one before they are made neutral: half a token and its other
    half would be one.
    """
    said: list[str | bool] = []
    for part in parts:
        if isinstance(part, ImageRef):
            said.append(True)
        elif said and isinstance(said[-1], str):
            said[-1] = f"{said[-1]}\n\n{part}"
        else:
            said.append(part)
    said = [neutral(each, template) if isinstance(each, str) else each for each in said]
    if suffix:
        last = said.pop() if said and isinstance(said[-1], str) else ""
        said.append(f"{last}\n\n{suffix}" if last else suffix)
    return said or [""]


def _written(processor: Any, template: ChatTemplate, said: Sequence[Sequence[str | bool]]) -> str:
    if template.asks == "plain":
        return "\n\n".join(_inline(each, template.mark) for each in said)
    messages = []
    for n, each in enumerate(said):
        form = template.replies if n % 2 else template.asks
        role = "assistant" if n % 2 else "user"
        messages.append({"role": role, "content": _content(each, form, template.mark)})
    text = processor.apply_chat_template(
        messages, chat_template=_stored(processor), tokenize=False, add_generation_prompt=True
    )
    return str(text)


def _stored(processor: Any) -> str | None:
    """Give the template of a processor, or that of its tokenizer: older ones keep it there."""
    tokenizer = getattr(processor, "tokenizer", None)
    kept = getattr(processor, "chat_template", None) or getattr(tokenizer, "chat_template", None)
    return kept.get("default") if isinstance(kept, dict) else kept


def _said_to_try(mark: str) -> list[list[str | bool]]:
    return [[_SPOTS[0], *([True] if mark else []), _SPOTS[1]], [_SPOTS[2]], [_SPOTS[3]]]


def _content(said: Sequence[str | bool], form: Form, mark: str) -> Any:
    if form == "parts":
        return [
            {"type": "text", "text": each} if isinstance(each, str) else {"type": "image"}
            for each in said
        ]
    words = _inline(said, mark)
    return [{"type": "text", "text": words}] if form == "inline" else words


def _inline(said: Sequence[str | bool], mark: str) -> str:
    return "\n".join(each if isinstance(each, str) else mark for each in said)


def _image_mark(processor: Any) -> tuple[str, str]:
    """Give what stands for a picture in a text, and which part of it the processor replaces."""
    if not hasattr(processor, "image_processor"):
        return "", ""
    # Gemma replaces the token that begins a picture, and its image_token says so.
    placeholder = getattr(processor, "image_token", None)
    if not placeholder:
        raise RecipeError(
            f"{type(processor).__name__} says of no token that it stands for a picture; "
            "serve the model and use kind: remote"
        )
    begin, end = "<|vision_start|>", "<|vision_end|>"
    framed = begin in processor.tokenizer.get_vocab() and placeholder != begin
    return (f"{begin}{placeholder}{end}" if framed else placeholder), placeholder


def _special(processor: Any) -> list[str]:
    """List the tokens that no text may say. Those that a tokenizer only keeps whole are none."""
    tokenizer = getattr(processor, "tokenizer", processor)
    added = [each.content for each in tokenizer.added_tokens_decoder.values() if each.special]
    named = [getattr(owner, name, None) for owner in (processor, tokenizer) for name in _SPECIAL]
    every = [*tokenizer.all_special_tokens, *added, *filter(None, named)]
    return [each for each in dict.fromkeys(map(str, every)) if each.strip()]


def _pattern(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile(_branches(list(words)) or r"(?!)")


def _branches(words: Sequence[str]) -> str:
    """Write a pattern of the longest of some words that begins at a place.

    By letters, not as a list of words: a vocabulary may have thousands of special tokens that all
    begin with the same one, and a text as many places where they may begin.
    """
    tails: dict[str, list[str]] = {}
    for word in filter(None, words):
        tails.setdefault(word[0], []).append(word[1:])
    if not tails:
        return ""
    each = [re.escape(letter) + _branches(rest) for letter, rest in tails.items()]
    joined = each[0] if len(each) == 1 and "" not in words else f"(?:{'|'.join(each)})"
    return f"{joined}?" if "" in words else joined


def _bare(found: re.Match[str]) -> str:
    word = re.sub(r"^\W+|\W+$", "", found[0])
    # What is no less reserved, or would be at another turn without end, leaves nothing.
    return f"({word})" if word and not found.re.search(f"({word})") else " "


def _in_order(text: str, placeholder: str, n_messages: int) -> bool:
    """Tell whether a text holds what was said once each, in order."""
    spots = list(_SPOTS[: n_messages + 1])
    if placeholder:
        spots.insert(1, placeholder)
    places = [text.find(each) for each in spots]
    once = all(text.count(each) == 1 for each in spots)
    return once and places == sorted(places) and "'type'" not in text


def _ending(text: str, special: Sequence[str]) -> str:
    """Give the special token right behind the reply; "" if something else stands there."""
    _, _, behind = text.partition(_SPOTS[2])
    found = [each for each in special if behind.lstrip().startswith(each)]
    return max(found, key=len, default="")


def _roles(text: str, special: Sequence[str]) -> list[str]:
    """List the words that begin or end a turn in a text of the template, special tokens aside."""
    first = text.find(_SPOTS[0])
    # What stands before the first message may be a system's, in plain words; its last line counts.
    told = text[:first].rpartition("\n")[2] + " " + text[first:]
    for each in (*special, *_SPOTS):
        told = told.replace(each, " ")
    return [word for word in dict.fromkeys(told.split()) if _ROLE.fullmatch(word)]
