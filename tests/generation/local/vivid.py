"""Tiny models whose texts depend on all that they read, and one that writes what it is told to."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from medrag.records import ImageRef, Prompt, Question
from tests.generation.tiny_vlms import save_text_model, save_tiny

EVIDENCE = "The heart is enlarged. There is no pleural effusion in the left lung. " * 12
# A large one, an upright one, a wide one: of as many tokens as a family makes of it.
_SIZES = ((40, 40), (64, 32), (32, 90))


def save_vivid(family: str, folder: Path) -> Path:
    """Save a tiny model with weights that are large enough for words to matter to each other.

    It never writes the tokens of pictures, so that what it wrote can be read again.
    """
    import torch
    from transformers import AutoModelForImageTextToText

    save_tiny(family, folder)
    model = AutoModelForImageTextToText.from_pretrained(folder)
    torch.manual_seed(1)
    for weights in model.parameters():
        if weights.ndim == 2:
            torch.nn.init.normal_(weights, std=2 / weights.shape[1] ** 0.5)
    tokens = [model.config.image_token_id, getattr(model.config, "video_token_id", None)]
    with torch.no_grad():
        if model.get_output_embeddings().weight is model.get_input_embeddings().weight:
            # Else each token would be followed by itself.
            model.get_input_embeddings().weight *= 0.1
        model.get_output_embeddings().weight[[t for t in tokens if t is not None]] = 0
    model.save_pretrained(folder)
    return folder


def save_scripted(folder: Path, text: str, *, ends: bool = True) -> Path:
    """Save a model that writes one text, whatever it is asked.

    Args:
        text: its tokens all differ, and at most 30.
        ends: whether the text ends there; else its last token is written again and again.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    save_text_model(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    [first] = tokenizer.encode("\n", add_special_tokens=False)
    chain = [first, *tokenizer.encode(text, add_special_tokens=False)]
    assert len(set(chain)) == len(chain) <= 31
    chain.append(tokenizer.eos_token_id if ends else chain[-1])
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "norm" not in name:
                weights.zero_()
        # Layers add nothing: the direction of a token is that of its follower in the head.
        for place, (token, follower) in enumerate(pairwise(chain)):
            model.get_input_embeddings().weight[token, place] = 1
            model.get_output_embeddings().weight[follower, place] += 4
    model.save_pretrained(folder)
    return folder


def pictures(folder: Path) -> list[ImageRef]:
    """Write three pictures of noise."""
    rng = np.random.default_rng(0)
    refs = []
    for place, size in enumerate(_SIZES):
        path = folder / f"{place}.png"
        Image.fromarray(rng.integers(0, 255, (*size, 3), dtype=np.uint8)).save(path)
        refs.append(ImageRef(str(path)))
    return refs


def prompts(folder: Path, evidence: str = EVIDENCE) -> list[Prompt]:
    """Make eight prompts: of no, one or three pictures, with the same evidence or none."""
    a, b, c = pictures(folder)
    said: Sequence[Sequence[str | ImageRef]] = (
        [evidence, a, "what?"],
        [evidence, a, "is there an effusion in this image? Answer"],
        [evidence, b, "what does it show?"],
        [a, b, c, "short"],
        ["nothing"],
        [evidence, a, c, b, "many images"],
        [evidence, "and a question without a picture"],
        [evidence, a, b, c, "three"],
    )
    return [prompt(*parts) for parts in said]


def prompt(
    *parts: str | ImageRef, text: str = "What does it show?", options: tuple[str, ...] = ()
) -> Prompt:
    images = tuple(part for part in parts if isinstance(part, ImageRef))
    return Prompt(Question(text, images, options=options), (), tuple(parts))


def model_inputs(inputs: Any, added: Sequence[int] = ()) -> Mapping[str, Any]:
    """Give a prompt as the model's own forward takes it, with tokens behind it."""
    import torch

    ids = torch.cat((inputs.ids, torch.tensor(added, dtype=torch.int64)))[None]
    types = {
        name: torch.cat((each, each.new_zeros(len(added))))[None]
        for name, each in inputs.token_types.items()
    }
    return {"input_ids": ids, "attention_mask": ids * 0 + 1, **inputs.pictures, **types}
