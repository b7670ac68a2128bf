"""Tiny random text encoders, saved as the real ones are, and texts for them."""

from pathlib import Path
from typing import Any

from medrag.records import Passage, Source

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,?"
WORDS = (
    "the", "heart", "lung", "blood", "bone", "pumps", "through", "is", "of", "and", "what", "skin",
    "layers", "two", "circuits", "air", "query", "passage",
)  # fmt: skip
D = 32
VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *LETTERS,
              *(f"##{letter}" for letter in LETTERS))  # fmt: skip
LONG = " ".join(f"The {n}th bone is next to the {n + 1}th." for n in range(40))


def passage(text: str, title: str | None = None, **changes: Any) -> Passage:
    source = Source("corpus", "book.txt", "0" * 64)
    return Passage("p", "text", text, source, fields={"title": title} if title else {}, **changes)


def tokenizer(limit: int = 48) -> Any:
    """A WordPiece tokenizer of words and letters, as BERT's."""
    import transformers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    numbers = {token: number for number, token in enumerate(VOCABULARY)}
    made = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))  # noqa: S106
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", numbers["[CLS]"]), ("[SEP]", numbers["[SEP]"])],
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made,
        model_max_length=limit,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **{f"{name}_token": f"[{name.upper()}]" for name in ("unk", "pad", "cls", "sep", "mask")},
    )


def save_bert(
    folder: Path, *, seed: int = 0, limit: int = 48, head: bool = False, d: int = D
) -> str:
    """Save a BERT as transformers does: two layers, with a head over the vocabulary on request."""
    import torch
    import transformers

    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=d, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=48, max_position_embeddings=limit, initializer_range=0.3,
    )  # fmt: skip
    kind = transformers.BertForMaskedLM if head else transformers.BertModel
    kind(config).save_pretrained(folder)
    tokenizer(limit).save_pretrained(folder)
    return str(folder)


def save_sentence(
    folder: Path,
    *,
    seed: int = 0,
    limit: int = 48,
    prompts: dict[str, str] | None = None,
    dense: bool = False,
    include_prompt: bool = True,
) -> str:
    """Save a model of sentence-transformers: BERT, mean, on request a dense layer, unit length."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    bert = save_bert(folder.with_name(f"{folder.name}-bert"), seed=seed, limit=limit)
    first = modules.Transformer(bert)
    parts = [first, modules.Pooling(D, pooling_mode="mean", include_prompt=include_prompt)]
    if dense:
        parts.append(modules.Dense(D, 12))
    parts.append(modules.Normalize())
    model = SentenceTransformer(modules=parts, prompts=prompts or {}, device="cpu")
    model.save(str(folder))
    return str(folder)


def save_routed(folder: Path) -> str:
    """Save a model with one BERT for questions and another for passages."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    query = modules.Transformer(save_bert(folder.with_name("query-bert"), seed=1, limit=32))
    document = modules.Transformer(save_bert(folder.with_name("document-bert"), seed=2))
    router = modules.Router.for_query_document([query], [document])
    model = SentenceTransformer(modules=[router, modules.Pooling(D)], device="cpu")
    model.save(str(folder))
    return str(folder)


def save_splade(folder: Path, *, inference_free: bool = False) -> str:
    """Save a SPLADE; on request its questions are weights of their tokens alone."""
    import torch
    from sentence_transformers import SparseEncoder
    from sentence_transformers.sparse_encoder import modules

    saved = save_bert(folder.with_name(f"{folder.name}-bert"), head=True)
    passages = [modules.MLMTransformer(saved), modules.SpladePooling()]
    if not inference_free:
        SparseEncoder(modules=passages, device="cpu").save(str(folder))
        return str(folder)
    torch.manual_seed(3)
    weights = torch.rand(len(VOCABULARY))
    questions = [modules.SparseStaticEmbedding(tokenizer(), weight=weights)]
    router = modules.Router.for_query_document(questions, passages)
    SparseEncoder(modules=[router], device="cpu").save(str(folder))
    return str(folder)
