"""Text of others, made harmless: to a terminal that shows it, an answer that quotes it, a prompt.

What a library, a server or a model wrote is material. Shown, it must not drive a terminal or hide
anything; quoted, it must not read as a marker; in a prompt, it must not end the fence it stands in,
nor read as a tag of a chat template or as another turn of the conversation.
"""

import re

# Escape sequences that are closed; of one that is left open only its beginning is taken, so that a
# text cannot swallow what follows it.
_SEQUENCES = re.compile(
    r"(?:\x1b\]|\x9d)[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"  # titles, links, the clipboard
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c\n]*(?:\x1b\\|\x9c)"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|\x1b[ -/]*[0-~]"
)
# Controls, marks that turn the direction of writing, and characters that show nothing: tags,
# blanks of no width and the rest of what can carry words that no reader sees.
CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e01ef]"
)
# Joiners shape the letters of Hindi, Persian and others, and stand between two of them: not beside
# ASCII, punctuation or anything of full width.
_UNJOINED = "\x00-\x7f\u2000-\u206f\u2772\u2773\u27e0-\u27ef\u3000-\u303f\ufe50-\ufe6f\uff00-\uffef"
_JOINERS = re.compile(f"(?<![^{_UNJOINED}])[\u200c\u200d]+|[\u200c\u200d]+(?![^{_UNJOINED}])")
_OPEN, _CLOSE = "[［【〔﹝⟦❲⁅", "]］】〕﹞⟧❳⁆"
# What reads as a marker to a person or to a program, in any script.
_MARKER = re.compile(
    rf"[{re.escape(_OPEN)}](\s*\d+(?:\s*[,;，、–—\-－]\s*\d+)*\s*)[{re.escape(_CLOSE)}]"
)
_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_FENCES = re.compile("[<＜﹤]{2,}|[>＞﹥]{2,}")
# Any family's: <|im_end|>, </s>, <start_of_turn>, <image>, <｜User｜>, <0x0A>. A comparison
# ("p <0.05") stays, as does what is never closed.
_TAG = re.compile("[<＜﹤](?=(?:0x|[^\\s\\d=.,+\\-−–~()…<＜﹤])[^<>＜＞﹤﹥\n]{0,200}[>＞﹥])")
_BRACKET_TAG = re.compile(r"[\[［](?=(/?[A-Z][A-Z_]{1,30})[\]］])\1[\]］]")
_ROLE = re.compile(
    r"(^[ \t#>*]*(?i:user|assistant|system|developer|human|model|tool|instruction|response|bot)\**"
    r"|\b(?:USER|ASSISTANT|SYSTEM|HUMAN))[ \t]*[:：]",
    re.MULTILINE,
)
# Those of them that a question may not hold either, or images and turns no longer add up.
_RESERVED = re.compile(
    r"<(?=[|｜][^<>\n]{1,60}[|｜]>"
    r"|/?(?:s|bos|eos|pad|unk|mask|sep|cls|image|images|img|video|audio|image_soft_token|"
    r"start_of_\w{1,30}|end_of_\w{1,30}|fake_token_around_image|global-img|row_\d+_col_\d+|"
    r"IMG_\w{1,30}|image_\w{1,30}|vision_\w{1,30}|unused\d+)>)",
    re.IGNORECASE,
)


def printable(text: str) -> str:
    """Take from a text what a terminal would obey instead of show, and what shows nothing.

    Halves of UTF-16 pairs, which nothing can write, become U+FFFD.
    """
    if text.isprintable():  # true of most, and then nothing below can match
        return text
    shown = _JOINERS.sub("", CONTROLS.sub("", _SEQUENCES.sub("", text)))
    return _SURROGATES.sub("\ufffd", shown)


def neutralised(text: str) -> str:
    """Make a text harmless to quote: what reads as a marker, "[3]", becomes "(3)".

    What shows nothing goes first, as it could part a marker that a reader would see as one.
    """
    return _MARKER.sub(r"(\1)", printable(text))


def fenced(text: str) -> str:
    """Make a text harmless to put between <<< and >>> in a prompt.

    Rewritten is what could forge a marker, close the fence, read as a tag of a chat template or as
    the name of who speaks ("Assistant:"); line breaks become line feeds. It cannot be told from the
    result whether that was meant ill, and a text without any of it stays as it is.
    """
    safe = neutralised(_BREAKS.sub("\n", text))
    safe = _FENCES.sub(lambda found: _angles(found.group()), safe)
    safe = _BRACKET_TAG.sub(r"(\1)", _TAG.sub("‹", safe))
    return _ROLE.sub(r"\1 –", safe)


def untagged(text: str) -> str:
    """Take from a question the tags that only a chat template may write; all else stays.

    Halves of UTF-16 pairs, which no tokenizer reads, become U+FFFD.
    """
    return _RESERVED.sub("‹", _SURROGATES.sub("\ufffd", text))


def _angles(run: str) -> str:
    return ("‹" if run[0] in "<＜﹤" else "›") * len(run)
