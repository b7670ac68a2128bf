"""Pictures of every kind, and tiny models of random weights that are saved as real ones are."""

import json
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from medrag.records import ImageRef, Kind, Passage, Source

SOURCE = Source("corpus", "book.txt", "0" * 64)
WORDS = ["heart", "lung", "effusion", "the", "of", "left", "right", "no", "is", ".", ",", "bone"]
PIXELS = 32


def colours(seed: int, height: int = 40, width: int = 56) -> NDArray[np.uint8]:
    """A smooth picture whose channels differ, so that their order shows."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]  # type: ignore[misc]
    waves = [np.sin(6 * (a * x + b * y) + c) for a, b, c in rng.random((3, 3)) * 3]
    return np.uint8([187, 127, 67] + 60 * np.stack(waves, axis=-1))


def saved(path: Path, seed: int, **size: int) -> Path:
    Image.fromarray(colours(seed, **size)).save(path)
    return path


def pictured(*paths: Path | ImageRef, kind: Kind = "image", text: str = "words") -> Passage:
    refs = tuple(each if isinstance(each, ImageRef) else ImageRef(str(each)) for each in paths)
    return Passage(f"{text}{refs}", kind, text, SOURCE, refs)


def written(text: str) -> Passage:
    return Passage(text, "report", text, SOURCE)


def word_pieces() -> list[str]:
    letters = [*string.ascii_lowercase, *string.digits]
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[EOS]"]
    return [*marks, *WORDS, *letters, *(f"##{letter}" for letter in letters)]


def tokenizer(*, begin: str, end: str) -> Tokenizer:
    """A WordPiece tokenizer of few words and all letters."""
    vocabulary = {piece: number for number, piece in enumerate(word_pieces())}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    template = " ".join(filter(None, (begin, "$A", end)))
    special = [(mark, vocabulary[mark]) for mark in (begin, end) if mark]
    made.post_processor = processors.TemplateProcessing(single=template, special_tokens=special)
    return made


def saved_tokenizer(folder: Path, *, begin: str = "[CLS]", end: str = "[EOS]") -> None:
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer(begin=begin, end=end),
        pad_token="[PAD]", unk_token="[UNK]", eos_token=end, model_max_length=10**30,  # noqa: S106
    )  # fmt: skip
    fast.save_pretrained(folder)


def tiny_clip(folder: Path, *, seed: int = 0, tokens: int = 16) -> Path:
    """A transformers CLIP: two layers of 32, 24 numbers in a vector."""
    torch.manual_seed(seed)
    n_words = len(word_pieces())
    config = transformers.CLIPConfig(
        text_config={
            "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 2, "vocab_size": n_words, "max_position_embeddings": tokens,
            "bos_token_id": 2, "eos_token_id": 4, "pad_token_id": 0,
        },
        vision_config={
            "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 2, "image_size": PIXELS, "patch_size": 8,
        },
        projection_dim=24,
    )  # fmt: skip
    model = transformers.CLIPModel(config)
    _spread(model)
    model.save_pretrained(folder)
    saved_tokenizer(folder)
    transformers.CLIPImageProcessor(
        size={"shortest_edge": PIXELS}, crop_size={"height": PIXELS, "width": PIXELS}
    ).save_pretrained(folder)
    return folder


def tiny_siglip(folder: Path, *, seed: int = 0, tokens: int = 16) -> Path:
    """A transformers SigLIP: its vectors are as wide as its layers, 32."""
    torch.manual_seed(seed)
    shape = {
        "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }  # fmt: skip
    config = transformers.SiglipConfig(
        text_config={
            **shape, "vocab_size": len(word_pieces()), "max_position_embeddings": tokens,
            "projection_size": 32,
        },
        vision_config={**shape, "image_size": PIXELS, "patch_size": 8},
    )  # fmt: skip
    model = transformers.SiglipModel(config)
    _spread(model)
    with torch.no_grad():
        model.logit_scale.fill_(2.3)
        model.logit_bias.fill_(-10.0)
    model.save_pretrained(folder)
    saved_tokenizer(folder, begin="", end="[EOS]")
    transformers.SiglipImageProcessor(size={"height": PIXELS, "width": PIXELS}).save_pretrained(
        folder
    )
    return folder


def tiny_dino(folder: Path, *, seed: int = 0, registers: int = 0) -> Path:
    """A DINOv2, with or without registers: 32 numbers in a vector."""
    torch.manual_seed(seed)
    shape: dict[str, Any] = {
        "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": PIXELS,
        "patch_size": 8, "mlp_ratio": 2,
    }  # fmt: skip
    model = (
        transformers.Dinov2WithRegistersModel(
            transformers.Dinov2WithRegistersConfig(**shape, num_register_tokens=registers)
        )
        if registers
        else transformers.Dinov2Model(transformers.Dinov2Config(**shape))
    )
    _spread(model)
    model.save_pretrained(folder)
    transformers.BitImageProcessor(
        size={"shortest_edge": PIXELS}, crop_size={"height": PIXELS, "width": PIXELS}
    ).save_pretrained(folder)
    return folder


OPEN_CONFIG: dict[str, Any] = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": PIXELS, "layers": 2, "width": 32, "head_width": 16,
                   "patch_size": 8},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
}  # fmt: skip
MEAN, STD = [0.48, 0.46, 0.41], [0.27, 0.26, 0.28]


def tiny_open_clip(folder: Path, *, seed: int = 0) -> Path:
    """An open_clip folder as the hub has it: its configuration and its weights."""
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_cfg": OPEN_CONFIG, "preprocess_cfg": {"mean": MEAN, "std": STD}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    model = open_clip.model.CLIP(**OPEN_CONFIG)
    _spread(model)
    torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
    return folder


def tiny_biomed_clip(folder: Path, *, seed: int = 0) -> Path:
    """An open_clip folder whose text tower is a BERT of transformers, as BiomedCLIP's is."""
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    tower = tiny_bert(folder / "tower")
    text = {
        "hf_model_name": str(tower), "hf_tokenizer_name": "somewhere/else", "hf_proj_type": "mlp",
        "hf_pooler_type": "cls_last_hidden_state_pooler", "context_length": 20,
    }  # fmt: skip
    config = {"embed_dim": 24, "vision_cfg": OPEN_CONFIG["vision_cfg"], "text_cfg": text}
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": config, "preprocess_cfg": {"mean": MEAN, "std": STD}})
    )
    model = open_clip.model.CustomTextCLIP(
        **{**config, "text_cfg": {**text, "hf_model_pretrained": False}}
    )
    _spread(model)
    torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
    saved_tokenizer(folder, end="[SEP]")
    return folder


def tiny_bert(folder: Path) -> Path:
    """The configuration and the tokenizer of a BERT; weights come from elsewhere."""
    transformers.BertConfig(
        vocab_size=len(word_pieces()), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=48, max_position_embeddings=64,
    ).save_pretrained(folder)  # fmt: skip
    saved_tokenizer(folder, end="[SEP]")
    return folder


# By what they stand for: each is saved to a folder, from a seed.
CLIPS: dict[str, Callable[..., Path]] = {
    "clip": tiny_clip, "siglip": tiny_siglip, "open_clip": tiny_open_clip,
    "biomed_clip": tiny_biomed_clip,
}  # fmt: skip
LONG = "No effusion of the left lung. The heart is left of the bone. " * 6
SHORT = "effusion of the lung"


def _spread(model: torch.nn.Module) -> None:
    """Make random weights large enough that different inputs have different vectors."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.15)
            elif "logit" not in name and "bias" in name:
                weight.normal_(0, 0.1)
