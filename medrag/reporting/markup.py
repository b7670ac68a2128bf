"""HTML that is safe by default: whatever is not `Html` already is escaped."""

import html
import re

# What hides, ends or turns round the text about it: controls, overrides of direction, lone
# surrogates (which UTF-8 cannot hold) and the invisible tag characters.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_HIDDEN = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
_VOID = frozenset({"img", "meta", "br"})


class Html(str):
    """Markup, as against text. Made by `text`, `element` and `joined`."""

    __slots__ = ()


def text(value: str) -> Html:
    """Escape a text, and neutralise what would change the text around it.

    Control characters and lone surrogates become U+FFFD, except line feed and tab; a character
    that hides or turns round the direction of writing is shown by its code, as in "[U+202E]".
    """
    plain = _CONTROL.sub("\ufffd", value.replace("\r\n", "\n").replace("\r", "\n"))
    shown = _HIDDEN.sub(lambda match: f"[U+{ord(match.group()):04X}]", plain)
    return Html(html.escape(shown, quote=True))


def element(name: str, *children: str, **attributes: str | int | None) -> Html:
    """Write an element.

    Args:
        children: texts, which are escaped, or `Html`.
        attributes: escaped; None leaves one out. "_" stands for "-", and a trailing "_" for
            nothing, so that `class_` can be written.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{joined(*children)}</{name}>")


def joined(*children: str, by: str = "") -> Html:
    """Put texts and markup one after the other."""
    return Html(by.join(child if isinstance(child, Html) else text(child) for child in children))
