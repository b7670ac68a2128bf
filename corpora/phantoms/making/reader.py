"""A tiny model of the LLaVA architecture with its processor, saved as transformers saves them."""

import re
from pathlib import Path
from typing import Any

from medrag.extras import require

from . import words
from .pictures import GRID, PATCH, SIDE

# What a prompt says again and again is one token, what has no meaning here none: short prompts.
_WHOLE = (
    "of another patient", "text from pages.jsonl", "report from reports.csv",
    "fact from facts.tsv", "term from facts.tsv", "Sign and disease", "<<<", ">>>", "USER:",
    "ASSISTANT:", "FINDINGS:", "Needs:", "Picture:",
    *(f"Image [{n}]: not shown" for n in range(1, 7)), *(f"[{n}]" for n in range(1, 7)),
)  # fmt: skip
_WORDS = (
    "Answer", "Evidence", "Nothing", "Others", "Which", "How", "What", "Is", "a", "sign", "signs",
    "and", "disease", "is", "are", "shown", "meant", "means", "many", "needed", "by", "yes", "no",
    *words.SIGNS, *words.DISEASES, *words.REMEDIES, *words.COUNTS, words.NEEDS,
)  # fmt: skip
_PIECES = "|".join([*map(re.escape, _WHOLE), r"\w+"])
# Of a prompt, what is no token: where a line stands, and what asks for an answer.
_UNSAID = r", line \d+|Say\."
_NAMED = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
_SPECIAL = (*_NAMED.values(), "<image>")
_CHAT = (
    "{% for message in messages %}{{ message['role'] | upper }}:"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>"
    "{% elif part['type'] == 'text' %} {{ part['text'] }} {% endif %}{% endfor %}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %} ASSISTANT:{% endif %}"
)
_CONTEXT = 512
# Tokens that the first layer sees: a word and the two before it, "ring means amaria". What belongs
# together is then found at once, where full attention takes thousands of steps to find it.
WINDOW = 3
# Of the first weights: as much as keeps the size of what so narrow a layer passes on.
_SPREAD = 0.12


def save_reader(folder: Path, *, seed: int, width: int = 96, layers: int = 3) -> None:
    """Save an untrained reader and its processor, so that `LocalGenerator` loads both."""
    model, processor = new_reader(seed=seed, width=width, layers=layers)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def new_reader(*, seed: int, width: int = 96, layers: int = 3) -> tuple[Any, Any]:
    """Make an untrained reader and its processor.

    Args:
        width: of the language model; the vision tower is half as wide.
        layers: of the language model.
    """
    torch, transformers = require("torch"), require("transformers")
    processor = new_processor()
    vision = transformers.CLIPVisionConfig(
        hidden_size=64, intermediate_size=128, num_hidden_layers=1, num_attention_heads=4,
        image_size=SIDE, patch_size=PATCH, projection_dim=64, initializer_range=_SPREAD,
    )  # fmt: skip
    tokenizer = processor.tokenizer
    text = transformers.Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=2 * width,
        num_hidden_layers=layers, num_attention_heads=4, num_key_value_heads=4,
        layer_types=["sliding_attention", *["full_attention"] * (layers - 1)],
        use_sliding_window=True, sliding_window=WINDOW, max_window_layers=0,
        max_position_embeddings=_CONTEXT, initializer_range=_SPREAD, tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    config = transformers.LlavaConfig(
        text_config=text, vision_config=vision, vision_feature_layer=-1,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=GRID * GRID, tie_word_embeddings=True,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.LlavaForConditionalGeneration(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model, processor


def new_processor() -> Any:
    """Make the processor: words of the closed vocabulary, and one token for each patch."""
    transformers = require("transformers")
    images = transformers.CLIPImageProcessor(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )
    return transformers.LlavaProcessor(
        images, _tokenizer(), patch_size=PATCH, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, chat_template=_CHAT,
    )  # fmt: skip


def _tokenizer() -> Any:
    tokenizers, transformers = require("tokenizers"), require("transformers")
    every = dict.fromkeys([*_SPECIAL, *_WHOLE, *_WORDS])
    kept = {word: number for number, word in enumerate(every)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(kept, unk_token=_SPECIAL[0]))
    tokenizer.normalizer = tokenizers.normalizers.Replace(tokenizers.Regex(_UNSAID), "")
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Split(
        tokenizers.Regex(_PIECES), behavior="removed", invert=True
    )
    tokenizer.add_special_tokens(
        [tokenizers.AddedToken(each, special=True, normalized=False) for each in _SPECIAL]
    )
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **_NAMED, extra_special_tokens={"image_token": "<image>"}
    )
    fast.model_input_names = ["input_ids", "attention_mask"]
    return fast
