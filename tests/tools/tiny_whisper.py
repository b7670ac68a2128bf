"""A tiny Whisper of random weights, or one that was trained to hear two tones apart."""

from pathlib import Path

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from tokenizers import pre_tokenizers

RATE = 16_000
TONES = {"low": 400.0, "high": 2500.0}


def tone(hertz: float, seconds: float, rate: int = RATE) -> NDArray[np.float32]:
    return np.float32(0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate))


def tiny_whisper(folder: Path, *, many: bool = False, steps: int = 0, chunk: int = 2) -> Path:
    """Save a model that hears `chunk` seconds at once."""
    torch.manual_seed(0)
    marks = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>",
             "<|transcribe|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]  # fmt: skip
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = transformers.WhisperTokenizer(
        vocab={token: number for number, token in enumerate(alphabet)}, merges=[]
    )
    tokenizer.add_special_tokens({"additional_special_tokens": marks[1:]})
    ids = dict(zip(marks, tokenizer.convert_tokens_to_ids(marks), strict=True))
    extractor = transformers.WhisperFeatureExtractor(
        feature_size=16, sampling_rate=RATE, chunk_length=chunk, n_fft=400, hop_length=160
    )
    start = ids["<|startoftranscript|>"]
    config = transformers.WhisperConfig(
        vocab_size=len(tokenizer), num_mel_bins=16, d_model=32, encoder_layers=1,
        decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=32, decoder_ffn_dim=32, max_source_positions=chunk * 50,
        max_target_positions=64, bos_token_id=ids[marks[0]], eos_token_id=ids[marks[0]],
        pad_token_id=ids[marks[0]], decoder_start_token_id=start, suppress_tokens=None,
        begin_suppress_tokens=None, dropout=0.0,
    )  # fmt: skip
    model = transformers.WhisperForConditionalGeneration(config)
    settings = model.generation_config
    # Else it is made anew from the model's configuration when it is loaded.
    settings._from_model_config = False
    settings.is_multilingual = many
    settings.no_timestamps_token_id = ids["<|notimestamps|>"]
    settings.forced_decoder_ids = None
    if many:
        settings.lang_to_id = {mark: ids[mark] for mark in ("<|en|>", "<|de|>")}
        settings.task_to_id = {name: ids[f"<|{name}|>"] for name in ("translate", "transcribe")}
    if steps:
        _train(model, extractor, tokenizer, start, steps, chunk)
    model.eval().save_pretrained(folder)
    transformers.WhisperProcessor(extractor, tokenizer).save_pretrained(folder)
    return folder


def _train(
    model: torch.nn.Module,
    extractor: transformers.WhisperFeatureExtractor,
    tokenizer: transformers.WhisperTokenizer,
    start: int,
    steps: int,
    chunk: int,
) -> None:
    sounds = [tone(hertz, length) for hertz in TONES.values() for length in (chunk, chunk * 0.7)]
    features = extractor(sounds, sampling_rate=RATE, return_tensors="pt").input_features
    end = tokenizer.eos_token_id
    silent = model.generation_config.no_timestamps_token_id
    said = [tokenizer.encode(word, add_special_tokens=False) for word in TONES for _ in range(2)]
    longest = max(map(len, said))
    rows = [[silent, *ids, end, *[-100] * (longest - len(ids))] for ids in said]
    labels = torch.tensor(rows)
    given = torch.tensor([[start, *row[:-1]] for row in rows]).clamp(min=0)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        loss = model(input_features=features, decoder_input_ids=given, labels=labels).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
