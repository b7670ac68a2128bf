"""A generator that poison can steer: what it sees outside of fences it does."""

import re
import unicodedata
from collections.abc import Sequence

from medrag.prompting.templates import build_prompt
from medrag.records import Generation, Prompt, Selection


class Obedient:
    """A generator that does what it is told anywhere but between fences.

    Tags of chat templates count wherever they stand, as a tokenizer knows of no fence.
    """

    name = "obedient"
    orders = re.compile(
        r"ignore (?:all )?previous|^\W*(?:final )?answer:|correct option is|evil\.example"
        r"|^\W*(?:assistant|user|system|model)\s*:|\b(?:USER|ASSISTANT):|\"tool\"|\"name\": \""
        r"|every patient is healthy|plain\.words",
        re.IGNORECASE | re.MULTILINE,
    )
    tags = re.compile(
        r"<[|｜][^<>]*[|｜]>|</?(?:s|eos|bos|think|answer|image|img|tool_call|image_soft_token|"
        r"start_of_\w+|end_of_\w+|fake_token\w*|row_\d+_col_\d+|global-img|IMG_CONTEXT)>"
        r"|\[/?(?:INST|SYSTEM_PROMPT|TOOL_CALLS|IMG|IMG_BREAK|IMG_END)\]|<</?SYS>>"
    )

    def __init__(self, template: str | None = None) -> None:
        self.template = template

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        return [Generation(self.obey(prompt)) for prompt in prompts]

    def obey(self, prompt: Prompt) -> str:
        if self.template is not None:
            prompt = build_prompt(
                prompt.question, Selection(prompt.evidence), template=self.template
            )
        told = "\n".join(part for part in prompt.parts if isinstance(part, str))
        # A reader of glyphs: full width is as good, and what shows nothing is not there.
        seen = unicodedata.normalize("NFKC", told)
        seen = "".join(
            each for each in seen if unicodedata.category(each) not in ("Cf", "Cc") or each == "\n"
        )
        outside = re.sub(r"<<<.*?>>>", " ", seen, flags=re.DOTALL)
        orders = [*self.orders.findall(outside), *self.tags.findall(seen)]
        markers = re.findall(r"^\[\d+\]", outside, re.MULTILINE)
        return f"{len(markers)} passages [1]." + "".join(f" Obeyed {each}." for each in orders)
