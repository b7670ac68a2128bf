"""Tiny random late-interaction checkpoints, saved as the real ones are."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

WORDS = (
    "the", "heart", "lung", "blood", "bone", "cell", "tissue", "pumps", "air", "is", "in", "of",
    "and", "what", "does", "describe", "image", "a", "user", "assistant", "question", "query",
)  # fmt: skip
EMBEDDING = 16


def save_colpali(folder: Path, *, seed: int = 0) -> Path:
    """Save a ColPali model: 4 x 4 patches of 8 pixels."""
    import torch
    from transformers import (
        ColPaliConfig,
        ColPaliForRetrieval,
        ColPaliProcessor,
        GemmaConfig,
        PaliGemmaConfig,
        SiglipImageProcessor,
        SiglipVisionConfig,
    )

    tokenizer = word_tokenizer(["<pad>", "<bos>", "<eos>", "<unk>"], ["<image>"], "<bos>")
    image_processor = SiglipImageProcessor(size={"height": 32, "width": 32})
    image_processor.image_seq_length = 16
    processor = ColPaliProcessor(image_processor, tokenizer)
    vlm = PaliGemmaConfig(
        text_config=GemmaConfig(**_text(len(tokenizer)), head_dim=16),
        vision_config=SiglipVisionConfig(**_vision()),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        projection_dim=32,
    )
    torch.manual_seed(seed)
    model = ColPaliForRetrieval(ColPaliConfig(vlm_config=vlm, embedding_dim=EMBEDDING))
    return _saved(folder, model, processor)


def save_colqwen2(
    folder: Path,
    *,
    seed: int = 0,
    max_pixels: int = 64 * 64,
    width: int = 32,
    layers: int = 2,
    patch: int = 4,
) -> Path:
    """Save a ColQwen2 model: patches merged 2 x 2, as many as the page needs."""
    import torch
    from transformers import (
        ColQwen2Config,
        ColQwen2ForRetrieval,
        ColQwen2Processor,
        Qwen2VLConfig,
        Qwen2VLImageProcessor,
    )

    marks = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"]
    tokenizer = word_tokenizer(["<|endoftext|>", "<unk>"], marks, None)
    image_processor = Qwen2VLImageProcessor(
        patch_size=patch, size={"shortest_edge": 4 * patch**2, "longest_edge": max_pixels}
    )
    processor = ColQwen2Processor(image_processor, tokenizer)
    identity = tokenizer.convert_tokens_to_ids
    eighth = width // 2 // 16
    text = _text(len(tokenizer)) | {
        "hidden_size": width, "intermediate_size": 3 * width, "num_hidden_layers": layers,
        "max_position_embeddings": 4096, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0,
        # A part of each head for time, height and width.
        "rope_parameters": {
            "rope_type": "default", "mrope_section": [2 * eighth, 3 * eighth, 3 * eighth],
        },
    }  # fmt: skip
    vision = {
        "depth": max(1, layers // 2), "embed_dim": width, "hidden_size": width, "num_heads": 2,
        "patch_size": patch,
    }  # fmt: skip
    vlm = Qwen2VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=identity("<|image_pad|>"),
        vision_start_token_id=identity("<|vision_start|>"),
        vision_end_token_id=identity("<|vision_end|>"),
    )
    torch.manual_seed(seed)
    model = ColQwen2ForRetrieval(ColQwen2Config(vlm_config=vlm, embedding_dim=EMBEDDING))
    return _saved(folder, model, processor)


def save_colmodernvbert(folder: Path, *, seed: int = 0, longest: int = 64) -> Path:
    """Save a ColModernVBERT model: tiles of 32 pixels, each of 2 x 2 patches, and one of all."""
    import torch
    from transformers import (
        ColModernVBertConfig,
        ColModernVBertForRetrieval,
        ColModernVBertProcessor,
        Idefics3ImageProcessor,
        ModernBertConfig,
        ModernVBertConfig,
        SiglipVisionConfig,
    )

    tiles = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    marks = ["<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>"]
    tokenizer = word_tokenizer(
        ["<|padding|>", "<unk>", "<|begin_of_text|>", "\n\n"], [*marks, *tiles], None
    )
    image_processor = Idefics3ImageProcessor(
        size={"longest_edge": longest}, max_image_size={"longest_edge": 32}, resample=2
    )
    processor = ColModernVBertProcessor(image_processor, tokenizer, image_seq_len=4)
    text = _text(len(tokenizer))
    del text["num_key_value_heads"]
    vlm = ModernVBertConfig(
        text_config=ModernBertConfig(
            **text, local_attention=8, pad_token_id=0, bos_token_id=2, eos_token_id=2,
            cls_token_id=2, sep_token_id=2,
        ),
        vision_config=SiglipVisionConfig(**_vision()),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pixel_shuffle_factor=2,
    )  # fmt: skip
    torch.manual_seed(seed)
    model = ColModernVBertForRetrieval(
        ColModernVBertConfig(vlm_config=vlm, embedding_dim=EMBEDDING)
    )
    return _saved(folder, model, processor)


def save_colbert(folder: Path, *, seed: int = 0) -> Path:
    """Save a model of texts after ColBERT, as sentence-transformers does.

    24 tokens of a passage are read at once; questions are filled up to 20 with masks.
    """
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Dense, Transformer
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
    from sentence_transformers.sentence_transformer.modules import Normalize

    transformer = Transformer(
        str(_backbone(folder, seed)),
        document_length=24,
        query_expansion={"strategy": "fixed", "attend": False, "length": 20},
    )
    dense = Dense(32, EMBEDDING, bias=False, module_input_name="token_embeddings")
    normalize = Normalize(module_input_name="token_embeddings")
    model = MultiVectorEncoder(
        modules=[transformer, dense, MultiVectorMask(), normalize], device="cpu"
    )
    model.save_pretrained(str(folder), create_model_card=False)
    return folder


def save_stanford(folder: Path, *, seed: int = 0) -> Path:
    """Save the same kind of model as the authors of ColBERT do."""
    import torch
    from safetensors.torch import load_file, save_file

    backbone = _backbone(folder, seed)
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((backbone / name).read_bytes())
    stored = load_file(backbone / "model.safetensors")
    weights = {f"bert.{name}": each for name, each in stored.items()}
    weights["linear.weight"] = torch.randn(EMBEDDING, 32, generator=torch.manual_seed(seed))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((backbone / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["HF_ColBERT"]}))
    settings = {"doc_maxlen": 24, "query_maxlen": 20, "mask_punctuation": True}
    (folder / "artifact.metadata").write_text(json.dumps(settings))
    return folder


def save_pylate(folder: Path, *, seed: int = 0) -> Path:
    """Save the same kind of model as PyLate does."""
    save_colbert(folder, seed=seed)
    modules = [
        ("", "sentence_transformers.models.Transformer"),
        ("1_Dense", "pylate.models.Dense.Dense"),
    ]
    listed = [
        {"idx": at, "name": str(at), "path": path, "type": kind}
        for at, (path, kind) in enumerate(modules)
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    settings = {
        "model_type": "ColBERT", "query_prefix": "[unused0] ", "document_prefix": "[unused1] ",
        "query_length": 20, "document_length": 24, "do_query_expansion": True,
        "attend_to_expansion_tokens": False, "skiplist_words": ["."],
    }  # fmt: skip
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings))
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 24}')
    return folder


def _backbone(folder: Path, seed: int) -> Path:
    """Save a BERT and its tokenizer beside the folder of a model made of it."""
    import torch
    from transformers import BertConfig, BertModel

    special = ["<pad>", "<cls>", "<sep>", "<unk>", "<mask>", "[unused0]", "[unused1]"]
    tokenizer = word_tokenizer(special, [], "<cls>")
    tokenizer.add_special_tokens({"mask_token": "<mask>"})
    text = _text(len(tokenizer))
    del text["num_key_value_heads"]
    torch.manual_seed(seed)
    backbone = folder.parent / f"{folder.name}-backbone"
    BertModel(BertConfig(**text)).save_pretrained(backbone)
    tokenizer.save_pretrained(backbone)
    return backbone


def word_tokenizer(special: Sequence[str], marks: Sequence[str], bos: str | None) -> Any:
    """Make a tokenizer that knows a few words, and letters for what else there is."""
    from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = [*"abcdefghijklmnopqrstuvwxyz0123456789.,:?<>|_-\n"]
    vocabulary = list(dict.fromkeys([*special, *marks, *WORDS, *letters]))
    inside = {f"##{letter}": len(vocabulary) + i for i, letter in enumerate(letters)}
    words = {word: i for i, word in enumerate(vocabulary)} | inside
    unknown = "<unk>"
    tokenizer = Tokenizer(models.WordPiece(words, unk_token=unknown))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(" +"), "removed"),
            pre_tokenizers.Split(Regex(r"\n|[.,:?]"), "isolated"),
        ]
    )
    tokenizer.add_special_tokens([AddedToken(mark, normalized=False) for mark in marks])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token=unknown,
        pad_token=special[0],
        eos_token="<eos>" if "<eos>" in special else special[0],
        bos_token=bos or special[0],
    )
    fast.model_input_names = ["input_ids", "attention_mask"]
    return fast


def _text(n_words: int) -> dict[str, Any]:
    return {
        "vocab_size": n_words + 1300,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 512,
    }


def _vision() -> dict[str, Any]:
    return {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 8,
    }


def _saved(folder: Path, model: Any, processor: Any) -> Path:
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
