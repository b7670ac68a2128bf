"""A question that is spoken: the options that name a recording, and what is heard in it."""

from pathlib import Path
from typing import Annotated

import typer

from medrag.cli.output import line, message

Audio = Annotated[
    Path | None,
    typer.Option(
        "--audio", metavar="<path>", help="A recording of the question, instead of its text."
    ),
]
Speech = Annotated[
    str,
    typer.Option(
        "--speech", metavar="<str>", help="The Whisper that writes it down: a hub id or a folder."
    ),
]
WHISPER = "openai/whisper-small"


def asked_text(text: str, audio: Path | None, model: str) -> str:
    """Give the text of a question, written down from a recording where there is one.

    What was heard is told, so that a person sees what is answered.
    """
    if audio is None:
        return text
    if text.strip():
        raise typer.BadParameter("give a text or a recording, not both", param_hint="--audio")
    if not audio.is_file():
        raise typer.BadParameter(f"{audio} is not a file", param_hint="--audio")
    from medrag.tools.speech import Transcriber

    said = Transcriber(model=model).transcribe(audio)
    message(f"heard: {line(said)}")
    return said
