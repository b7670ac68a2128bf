"""A router of a few ten thousand weights, and questions about signs that do not exist.

Which part of the library a sign belongs to is drawn by a seed, so that it can only be learnt. It
shows that the machinery learns what it is rewarded for, and nothing about medicine or about models
of a real size.
"""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medrag.alignment.grpo.router import RouterRow, router_prompt, router_reply
from medrag.records import Question
from medrag.retrieval.agentic import path_of, read_route
from medrag.retrieval.agentic.routing import RoutedQuery

PARTITIONS = ("Chest", "Bone", "Skin")
SIGNS = ("norr", "vell", "tamik", "osden", "pilra", "quen", "borat", "lusk")
# The picture is enough.
SEEN = (
    "Is the {a} sign seen here?", "Where in the picture is the {a} sign?",
    "Does this picture show the {a} sign?", "How large is the {a} sign here?",
    "Is the {a} sign on the left?", "Has the {a} sign grown in this picture?",
    "Which colour has the {a} sign here?", "How many times is the {a} sign seen here?",
)  # fmt: skip
# One query, in the part of the sign.
MEANT = (
    "What does the {a} sign mean?", "What causes the {a} sign?",
    "Which disease shows the {a} sign?", "What follows from the {a} sign?",
    "How is the {a} sign explained?", "Why does the {a} sign arise?",
    "What is known of the {a} sign?", "How often is the {a} sign harmless?",
    "Who described the {a} sign?", "What else is found with the {a} sign?",
    "Is the {a} sign dangerous?", "How is the {a} sign treated?",
)  # fmt: skip
# A query for each sign, in the part of each.
COMPARED = (
    "How does the {a} sign differ from the {b} sign?",
    "Which is worse, the {a} sign or the {b} sign?",
)  # fmt: skip
_EVERY = (*SEEN, *MEANT, *COMPARED)
_PIECES = ('<tool_call>\n', "</tool_call>", '{"name": "rag", "parameters": {"query": "',
           '{"name": "classifier", "parameters": {"partition": "', '"}}\n')  # fmt: skip
_MARKS = {"pad_token": "<pad>", "eos_token": "<end>", "unk_token": "<unk>"}
_TEMPLATE = (
    "{% for message in messages %}{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}\n{% endif %}"
)


@dataclass(frozen=True, slots=True)
class Split:
    """Rows for the supervised start, for rewards, and for the test; no question is in two."""

    start: tuple[RouterRow, ...]
    rewarded: tuple[RouterRow, ...]
    test: tuple[RouterRow, ...]


def split(*, seed: int, n_start: int, n_rewarded: int, n_test: int) -> Split:
    """Draw questions; those of the start are of the first half of the signs alone."""
    drawn = random.Random(seed)
    places = [PARTITIONS[n % len(PARTITIONS)] for n in range(len(SIGNS))]
    drawn.shuffle(places)
    belongs = dict(zip(SIGNS, places, strict=True))
    every = [_row(text, a, b, belongs) for text in _EVERY for a in SIGNS for b in SIGNS
             if b == _other(a)]  # fmt: skip
    drawn.shuffle(every)
    known = set(SIGNS[: len(SIGNS) // 2])
    of_known = [row for row in every if _signs(row) <= known]
    start = of_known[:n_start]
    rest = [row for row in every if row not in start]
    return Split(tuple(start), tuple(rest[n_test : n_test + n_rewarded]), tuple(rest[:n_test]))


def save_router(folder: Path, *, seed: int, width: int = 64) -> int:
    """Save a random model of texts whose words are those of the questions; give its weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=2 * width,
        num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=128, bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return sum(each.numel() for each in model.parameters())


def _row(text: str, a: str, b: str, belongs: dict[str, str]) -> RouterRow:
    question = Question(text.format(a=a, b=b), id=text.format(a=a, b=b))
    signs = [] if text in SEEN else [a, b] if "{b}" in text else [a]
    queries = tuple(RoutedQuery(f"{sign} sign", belongs[sign]) for sign in signs)
    path = path_of(read_route(router_reply(queries), PARTITIONS))
    assert path is not None
    return RouterRow(question, path, queries)


def _other(sign: str) -> str:
    return SIGNS[(SIGNS.index(sign) + 1) % len(SIGNS)]


def _signs(row: RouterRow) -> set[str]:
    return {sign for sign in SIGNS if sign in row.question.text.replace("?", "").split()}


def _tokenizer() -> Any:
    """Make a tokenizer of words, for which what stands in every prompt and call is one word."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    asked = "Qvaja"
    [prompt] = router_prompt(Question(asked), partitions=PARTITIONS).parts
    assert isinstance(prompt, str)
    parted = pre_tokenizers.Split(Regex(r" ?[A-Za-z]+|\n|[^A-Za-z\n]"), "isolated")
    told = [text.format(a=a, b=a) for text in _EVERY for a in SIGNS]
    told += [f"{sign} sign" for sign in SIGNS] + [*PARTITIONS, "\n", " ", '"']
    words = dict.fromkeys(word for text in told for word, _ in parted.pre_tokenize_str(text))
    named = {mark: n for n, mark in enumerate(_MARKS.values())}
    vocabulary = named | {word: n + len(named) for n, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=_MARKS["unk_token"]))
    tokenizer.pre_tokenizer = parted
    tokenizer.decoder = decoders.Fuse()
    pieces = [*prompt.split(asked), *_PIECES]
    tokenizer.add_tokens([AddedToken(each, normalized=False) for each in pieces])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=_TEMPLATE, **_MARKS)
