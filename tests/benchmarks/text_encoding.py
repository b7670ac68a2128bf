"""Texts per second: our encoders against `SentenceTransformer.encode` as it comes.

    python -m tests.benchmarks.text_encoding [--texts 192] [--rounds 3]

Both encode the same passages, none of which is longer than the models read, so that the work in
tokens is the same: all-MiniLM-L6-v2 with its weights, and a model of BERT-base's size with random
ones. The peer runs with its defaults (float32, 32 texts in a batch), and once in our data type,
to show what the rest of the gain is. The limit is 2 operations for each weight of the layers and
each token, against the machine's rate of products in the same data type; attention, softmax,
activations and norms come on top and are not counted.
"""

import argparse
import json
import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from medrag.checkpoints.files import model_folder
from medrag.encoding.sentence import SentenceEncoder
from medrag.records import Passage, Source
from tests.benchmarks.measuring import Row, interleaved, machine, product_rate, ratio, table
from tests.conftest import DEFAULT_DATA

_SECTIONS = Path("textbook") / "anatomy_physiology" / "sections.jsonl"
_MINILM = "sentence-transformers/all-MiniLM-L6-v2"
_GOAL = 3.0
_LEAST_COSINE = 0.998
_WORDS = (25, 250)


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--texts", type=int, default=192)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    texts, origin = _texts(asked.texts)
    some = texts[: asked.texts // 3]
    with tempfile.TemporaryDirectory() as folder:
        rows = _compared("MiniLM-L6", str(model_folder(_MINILM)), texts, asked.rounds)
        rows += _compared("BERT-base size", bert_base(Path(folder)), some, asked.rounds)
    print(table(rows))
    print(f"\n{machine()}; {asked.texts} passages (a third for BERT-base) of {origin}.")


def _compared(what: str, model: str, texts: list[str], rounds: int) -> list[Row]:
    encoder = SentenceEncoder(model=model)
    numerics = encoder.numerics.split()[-1]
    tokens, passages = _fitting(encoder, texts)
    texts = [passage.text for passage in passages]
    peer, peer_in_ours = _peer(model, "float32"), _peer(model, numerics)
    found: dict[str, Any] = {}

    def ours() -> None:
        found["ours"] = encoder.encode_passages(passages).values

    def theirs() -> None:
        found["peer"] = peer.encode(texts, show_progress_bar=False)

    def theirs_in_ours() -> None:
        found["same"] = peer_in_ours.encode(texts, show_progress_bar=False)

    contestants = {
        "medrag": ours,
        "sentence-transformers": theirs,
        f"sentence-transformers, {numerics}": theirs_in_ours,
    }
    times = interleaved(contestants, rounds=rounds)
    cosine = _least_cosine(found["ours"], found["peer"])
    if cosine < _LEAST_COSINE:
        raise AssertionError(f"{what}: cosine {cosine:.4f} to float32, expected {_LEAST_COSINE}")
    work, rate = 2 * _layer_weights(encoder) * tokens, product_rate(numerics)  # type: ignore[arg-type]
    share = work / np.median(times["medrag"]) / rate
    limit = f"{share * rate / 1e9:.0f} of {rate / 1e9:.0f} GFLOP/s"
    n = f"{what}, {len(texts)} texts, {tokens} tokens"
    rows = [Row(n, f"medrag, {numerics}", times["medrag"], None, None, share, limit,
                f"cosine to float32 >= {cosine:.4f}")]  # fmt: skip
    for name, goal in zip([*contestants][1:], (_GOAL, None), strict=True):
        note = "defaults: float32, batch 32" if goal else "batch 32"
        rows.append(Row(n, name, times[name], ratio(times, "medrag", name), goal, note=note))
    return rows


def _fitting(encoder: SentenceEncoder, texts: list[str]) -> tuple[int, list[Passage]]:
    """Keep the texts that are one window, and count their tokens."""
    source = Source("benchmark", "texts", "0" * 64)
    read = encoder._passages.read([("", text) for text in texts])
    kept = [(text, several[0].n) for text, several in zip(texts, read, strict=True)
            if len(several) == 1]  # fmt: skip
    passages = [Passage(str(n), "text", text, source) for n, (text, _) in enumerate(kept)]
    return sum(n for _, n in kept), passages


def _peer(model: str, dtype: str) -> Any:
    import torch
    from sentence_transformers import SentenceTransformer

    device = "cuda" if torch.cuda.is_available() else "cpu"
    options = {"dtype": getattr(torch, dtype)}
    return SentenceTransformer(model, device=device, local_files_only=True, model_kwargs=options)


def _layer_weights(encoder: SentenceEncoder) -> int:
    """Count the weights that every token is multiplied with: not tables, not pooling."""
    import torch

    transformer = encoder._passages.model.transformers_model
    return sum(
        module.weight.numel()
        for name, module in transformer.named_modules()
        if isinstance(module, torch.nn.Linear) and "pooler" not in name
    )


def _least_cosine(one: Any, other: Any) -> float:
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(((one * other).sum(axis=1) / norms).min())


def _texts(n: int) -> tuple[list[str], str]:
    """Give passages of 25 to 250 words: runs of a textbook's words where it is at hand."""
    rng = random.Random(0)
    path = Path(os.environ.get("MEDRAG_DATA", DEFAULT_DATA)) / _SECTIONS
    words = list(_words(path)) if path.is_file() else [
        "".join(rng.choices("aeiourstlnbcdhkmpv", k=rng.randint(2, 11))) for _ in range(20_000)
    ]  # fmt: skip
    origin = "Anatomy & Physiology" if path.is_file() else "synthetic words"
    texts, at = [], 0
    for _ in range(n):
        size = rng.randint(*_WORDS)
        start = at % max(len(words) - size, 1)
        texts.append(" ".join(words[start : start + size]))
        at += size
    return texts, origin


def _words(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield from str(json.loads(line).get("text", "")).split()


def bert_base(folder: Path) -> str:
    """Save a model of BERT-base's size with random weights, and MiniLM's tokenizer."""
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    torch.manual_seed(0)
    transformers.BertModel(transformers.BertConfig()).save_pretrained(folder / "bert")
    tokenizer = transformers.AutoTokenizer.from_pretrained(model_folder(_MINILM))
    tokenizer.save_pretrained(folder / "bert")
    first = modules.Transformer(str(folder / "bert"), max_seq_length=512)
    parts = [first, modules.Pooling(768, pooling_mode="mean"), modules.Normalize()]
    SentenceTransformer(modules=parts, device="cpu").save(str(folder / "base"))
    return str(folder / "base")


if __name__ == "__main__":
    main()
