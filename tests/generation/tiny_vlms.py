"""Tiny random models of pictures and texts, saved as the real ones of each family are."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# SmolVLM's own processor does not start without num2words.
FAMILIES: tuple[str, ...] = (
    "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "gemma3", "llava", "idefics3",
    *(["smolvlm"] if find_spec("num2words") else []),
)  # fmt: skip
CONTEXT = 8192
_WORDS = (
    "The heart is enlarged. There is no pleural effusion in the left lung. Picture 1 of the "
    "question: what does the image show? Answer in a few sentences from the evidence. Yes. No."
)
_CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_GEMMA = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant') }}"
    "{% endif %}"
    "<start_of_turn>{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] | trim }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<start_of_image>"
    "{% elif part['type'] == 'text' %}{{ part['text'] | trim }}{% endif %}"
    "{% endfor %}{% endif %}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
# As the ports of LLaVA have it: all images of a message before all its words.
_LLAVA = (
    "{% for message in messages %}{{ message['role'] | upper }}: "
    "{% for part in message['content'] if part['type'] == 'image' %}<image>\n{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }} {% endfor %}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
_IDEFICS = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}"
    "{% if message['content'][0]['type'] == 'image' %}:{% else %}: {% endif %}"
    "{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}"
    "{% elif part['type'] == 'image' %}<image>{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)
# Of SmolVLM and Idefics3: places of tiles.
_TILES = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]


def save_tiny(family: str, folder: Path, *, seed: int = 0, context: int = CONTEXT) -> None:
    """Save a random model of one of the `FAMILIES` with its processor and chat template.

    Args:
        context: tokens that its configuration says it reads.
    """
    import torch

    torch.manual_seed(seed)
    model, processor = _MAKERS[family](context)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def save_text_model(folder: Path, *, seed: int = 0, context: int = CONTEXT) -> None:
    """Save a random model of texts alone, with a chat template of strings."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = _tokenizer(["<|endoftext|>", "<|im_start|>", "<|im_end|>"], eos="<|im_end|>")
    tokenizer.chat_template = (
        "{% for message in messages %}"
        "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    torch.manual_seed(seed)
    Qwen2ForCausalLM(Qwen2Config(**_text(tokenizer, context))).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _qwen2_vl(context: int) -> tuple[Any, Any]:
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration, Qwen2VLProcessor

    processor = _qwen_processor(Qwen2VLProcessor, patch=4)
    vision = {
        "depth": 1, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "patch_size": 4,
        "mlp_ratio": 2,
    }  # fmt: skip
    config = Qwen2VLConfig(
        text_config=_qwen_text(processor, context), vision_config=vision, **_qwen_marks(processor)
    )
    return Qwen2VLForConditionalGeneration(config), processor


def _qwen2_5_vl(context: int) -> tuple[Any, Any]:
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
    )

    processor = _qwen_processor(Qwen2_5_VLProcessor, patch=4)
    vision = {
        "depth": 2, "hidden_size": 32, "out_hidden_size": 32, "intermediate_size": 48,
        "num_heads": 2, "patch_size": 4, "window_size": 16, "fullatt_block_indexes": [1],
    }  # fmt: skip
    config = Qwen2_5_VLConfig(
        text_config=_qwen_text(processor, context), vision_config=vision, **_qwen_marks(processor)
    )
    return Qwen2_5_VLForConditionalGeneration(config), processor


def _qwen3_vl(context: int) -> tuple[Any, Any]:
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration, Qwen3VLProcessor

    processor = _qwen_processor(Qwen3VLProcessor, patch=4)
    vision = {
        "depth": 2, "hidden_size": 32, "out_hidden_size": 32, "intermediate_size": 48,
        "num_heads": 2, "patch_size": 4, "num_position_embeddings": 64,
        "deepstack_visual_indexes": [0],
    }  # fmt: skip
    text = _qwen_text(processor, context) | {"head_dim": 16}
    config = Qwen3VLConfig(text_config=text, vision_config=vision, **_qwen_marks(processor))
    return Qwen3VLForConditionalGeneration(config), processor


def _gemma3(context: int) -> tuple[Any, Any]:
    from transformers import (
        Gemma3Config,
        Gemma3ForConditionalGeneration,
        Gemma3ImageProcessor,
        Gemma3Processor,
    )

    marks = ["<start_of_turn>", "<end_of_turn>"]
    tokenizer = _tokenizer(
        ["<pad>", "<eos>", "<bos>", "<unk>", *marks],
        eos="<end_of_turn>",
        bos="<bos>",
        named={
            "image_token": "<image_soft_token>", "boi_token": "<start_of_image>",
            "eoi_token": "<end_of_image>",
        },
    )  # fmt: skip
    image_processor = Gemma3ImageProcessor(size={"height": 32, "width": 32})
    processor = Gemma3Processor(
        image_processor, tokenizer, chat_template=_GEMMA, image_seq_length=4
    )
    text = _text(tokenizer, context) | {
        "head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 512,
        "layer_types": ["sliding_attention", "full_attention"],
    }  # fmt: skip
    identity = tokenizer.convert_tokens_to_ids
    config = Gemma3Config(
        text_config=text,
        vision_config=_siglip(),
        mm_tokens_per_image=4,
        image_token_id=identity("<image_soft_token>"),
        boi_token_index=identity("<start_of_image>"),
        eoi_token_index=identity("<end_of_image>"),
        eos_token_id=[identity("<eos>"), identity("<end_of_turn>")],
    )
    return Gemma3ForConditionalGeneration(config), processor


def _llava(context: int) -> tuple[Any, Any]:
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    tokenizer = _tokenizer(["<unk>", "<s>", "</s>", "<pad>", "<image>"], eos="</s>", bos="<s>")
    image_processor = CLIPImageProcessor(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )
    processor = LlavaProcessor(
        image_processor,
        tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_LLAVA,
    )
    vision = CLIPVisionConfig(
        hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
        image_size=32, patch_size=8, projection_dim=32,
    )  # fmt: skip
    config = LlavaConfig(
        text_config=LlamaConfig(**_text(tokenizer, context)),
        vision_config=vision,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-2,
    )
    return LlavaForConditionalGeneration(config), processor


def _idefics3(context: int) -> tuple[Any, Any]:
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3ImageProcessor,
        Idefics3Processor,
        LlamaConfig,
    )

    tokenizer = _idefics_tokenizer()
    image_processor = Idefics3ImageProcessor(**_tiled())
    processor = Idefics3Processor(
        image_processor, tokenizer, image_seq_len=4, chat_template=_IDEFICS
    )
    config = Idefics3Config(
        text_config=LlamaConfig(**_text(tokenizer, context)),
        vision_config=_siglip(),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Idefics3ForConditionalGeneration(config), processor


def _smolvlm(context: int) -> tuple[Any, Any]:
    from transformers import (
        LlamaConfig,
        SmolVLMConfig,
        SmolVLMForConditionalGeneration,
        SmolVLMImageProcessor,
        SmolVLMProcessor,
        SmolVLMVideoProcessor,
    )

    tokenizer = _idefics_tokenizer()
    processor = SmolVLMProcessor(
        SmolVLMImageProcessor(**_tiled()),
        tokenizer,
        SmolVLMVideoProcessor(**_tiled()),
        image_seq_len=4,
        chat_template=_IDEFICS,
    )
    config = SmolVLMConfig(
        text_config=LlamaConfig(**_text(tokenizer, context)),
        vision_config=_siglip(),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=tokenizer.pad_token_id,
    )
    return SmolVLMForConditionalGeneration(config), processor


_MAKERS: dict[str, Callable[[int], tuple[Any, Any]]] = {
    "qwen2_vl": _qwen2_vl, "qwen2_5_vl": _qwen2_5_vl, "qwen3_vl": _qwen3_vl, "gemma3": _gemma3,
    "llava": _llava, "idefics3": _idefics3, "smolvlm": _smolvlm,
}  # fmt: skip


def _tokenizer(
    special: Sequence[str], *, eos: str, bos: str | None = None, named: dict[str, str] | None = None
) -> Any:
    """Make a byte-level BPE tokenizer: every text has tokens, and a few words have their own."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    every = [*special, *(named or {}).values()]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=256 + len(every) + 80,
        special_tokens=[AddedToken(each, normalized=False, special=True) for each in every],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([_WORDS] * 2, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=eos,
        bos_token=bos,
        unk_token="<unk>" if "<unk>" in special else None,
        pad_token="<pad>" if "<pad>" in special else special[0],
        additional_special_tokens=[each for each in special if each != eos],
        extra_special_tokens=named or {},
    )
    fast.model_input_names = ["input_ids", "attention_mask"]
    return fast


def _qwen_processor(kind: type[Any], *, patch: int) -> Any:
    """Make a processor of patches, merged 2 x 2, of 8 to 128 pixels a side."""
    from transformers import Qwen2VLImageProcessor, Qwen2VLVideoProcessor, Qwen3VLVideoProcessor

    marks = [
        "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
        "<|image_pad|>", "<|video_pad|>",
    ]  # fmt: skip
    size = {"shortest_edge": (2 * patch) ** 2, "longest_edge": (32 * patch) ** 2}
    video = Qwen3VLVideoProcessor if "Qwen3" in kind.__name__ else Qwen2VLVideoProcessor
    return kind(
        Qwen2VLImageProcessor(patch_size=patch, size=size),
        _tokenizer(marks, eos="<|im_end|>"),
        video(patch_size=patch, size=size),
        chat_template=_CHATML,
    )


def _qwen_text(processor: Any, context: int) -> dict[str, Any]:
    # A part of each head for time, height and width.
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0}
    return _text(processor.tokenizer, context) | {"rope_parameters": rope}


def _qwen_marks(processor: Any) -> dict[str, int]:
    identity = processor.tokenizer.convert_tokens_to_ids
    return {
        "image_token_id": identity("<|image_pad|>"),
        "video_token_id": identity("<|video_pad|>"),
        "vision_start_token_id": identity("<|vision_start|>"),
        "vision_end_token_id": identity("<|vision_end|>"),
    }


def _idefics_tokenizer() -> Any:
    marks = ["<|im_start|>", "<end_of_utterance>", "<fake_token_around_image>", "<image>"]
    return _tokenizer(
        ["<pad>", *marks, "<global-img>", *_TILES], eos="<end_of_utterance>", bos="<|im_start|>"
    )


def _tiled() -> dict[str, Any]:
    return {"size": {"longest_edge": 64}, "max_image_size": {"longest_edge": 32}}


def _text(tokenizer: Any, context: int) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": context,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def _siglip() -> dict[str, Any]:
    return {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 8,
    }
