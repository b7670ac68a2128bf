"""Tiny random cross-encoders, saved as the real ones are."""

from pathlib import Path

from tests.encoding.tiny_texts import VOCABULARY, tokenizer


def save_classifier(folder: Path, *, seed: int = 0, limit: int = 64, n_labels: int = 1) -> str:
    """Save a BERT that gives numbers for a pair, as MedCPT's cross-encoder is saved."""
    import torch
    import transformers

    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=48, max_position_embeddings=limit, initializer_range=0.3,
        num_labels=n_labels,
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer(limit).save_pretrained(folder)
    return str(folder)


def save_cross_encoder(folder: Path, *, seed: int = 0, prompt: str | None = None) -> str:
    """Save the same as sentence-transformers does."""
    from sentence_transformers import CrossEncoder

    plain = save_classifier(folder.with_name(f"{folder.name}-plain"), seed=seed)
    prompts = {} if prompt is None else {"prompts": {"query": prompt}}
    named = {} if prompt is None else {"default_prompt_name": "query"}
    CrossEncoder(plain, device="cpu", **prompts, **named).save_pretrained(str(folder))
    return str(folder)


def save_language_model(folder: Path, *, seed: int = 0) -> str:
    """Save a language model that is asked for a yes, as Qwen's rerankers are."""
    import torch
    import transformers
    from sentence_transformers import CrossEncoder

    torch.manual_seed(seed)
    made = tokenizer(64)
    made.add_tokens(["yes", "no"])
    made.padding_side = "left"
    config = transformers.LlamaConfig(
        vocab_size=len(made), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, intermediate_size=48, max_position_embeddings=64,
        initializer_range=0.3, pad_token_id=0, bos_token_id=2, eos_token_id=3,
    )  # fmt: skip
    plain = folder.with_name(f"{folder.name}-plain")
    transformers.LlamaForCausalLM(config).save_pretrained(plain)
    made.save_pretrained(plain)
    CrossEncoder(str(plain), device="cpu").save_pretrained(str(folder))
    return str(folder)
