"""A tiny Florence-2 with its real processor, saved as a real one is."""

from pathlib import Path

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

SIZE = 64


def letters() -> transformers.PreTrainedTokenizerFast:
    """A tokenizer of bytes, with the 1,000 places of a picture."""
    marks = ["<s>", "<pad>", "</s>", "<unk>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*marks, *alphabet])}
    made = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))  # noqa: S106
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>",  # noqa: S106
        unk_token="<unk>", extra_special_tokens={"image_token": "<image>"},  # noqa: S106
    )  # fmt: skip
    fast.add_tokens([f"<loc_{number}>" for number in range(1000)])
    return fast


def tiny_florence(folder: Path, *, says: str = "", steps: int = 40) -> Path:
    """Save a model of random weights, or one that was trained to say one thing."""
    torch.manual_seed(0)
    tokenizer = letters()
    shape = {"encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 32,
             "decoder_ffn_dim": 32, "encoder_attention_heads": 2,
             "decoder_attention_heads": 2}  # fmt: skip
    config = transformers.Florence2Config(
        vision_config={
            "depths": [1, 1, 1, 1], "embed_dim": [8, 8, 16, 16], "num_heads": [1, 1, 2, 2],
            "num_groups": [1, 1, 2, 2], "window_size": 4, "projection_dim": 32,
            "drop_path_rate": 0.0,
        },
        text_config={
            "model_type": "bart", "vocab_size": len(tokenizer), "d_model": 32, **shape,
            "max_position_embeddings": 400, "bos_token_id": 0, "pad_token_id": 1,
            "eos_token_id": 2, "decoder_start_token_id": 2, "forced_eos_token_id": None,
            "dropout": 0.0,
        },
        image_token_id=tokenizer.image_token_id,
    )  # fmt: skip
    model = transformers.Florence2ForConditionalGeneration(config)
    pictures = transformers.CLIPImageProcessor(size={"height": 96, "width": 96})
    pictures.image_seq_length = 10
    processor = transformers.Florence2Processor(
        image_processor=pictures, tokenizer=tokenizer, post_processor_config={}
    )
    if says:
        processor.num_image_tokens = (SIZE // 32) ** 2 + 1
        _train(model, processor, says, steps)
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _train(
    model: torch.nn.Module, processor: transformers.Florence2Processor, says: str, steps: int
) -> None:
    side = {"height": SIZE, "width": SIZE}
    inputs = processor(
        text=["<CAPTION_TO_PHRASE_GROUNDING>effusion"],
        images=[np.zeros((SIZE, SIZE, 3), dtype=np.uint8)],
        size=side, do_center_crop=False, return_tensors="pt",
    )  # fmt: skip
    labels = processor.tokenizer(f"{says}</s>", return_tensors="pt").input_ids
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(steps):
        loss = model(**inputs, labels=labels).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
