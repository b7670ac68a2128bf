"""Verdicts of a model of inference on claims."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medrag.errors import RecipeError
from medrag.verification.entailment import EntailmentVerifier
from medrag.verification.inference import Inference, Verdict, labels_of
from medrag.verification.premises import premises
from tests.verification.made import cited, passage

WORDS = (
    "the", "femur", "is", "a", "long", "bone", "heart", "lung", "pumps", "blood", "no", "effusion",
    "left", "right", "small", "there", "of", "and", ".", ",",
)  # fmt: skip
VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS)
NLI = ("CONTRADICTION", "neutral", "Entailment")
TEXT = "The femur is a long bone. The heart pumps blood. There is no effusion of the left lung."


def saved(folder: Path, labels: tuple[str, ...] = NLI, *, limit: int = 32, bias: Any = None) -> str:
    """Save a tiny random BERT that tells classes; `bias` makes it always say the same."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=limit, initializer_range=0.5,
        id2label=dict(enumerate(labels)), label2id={n: i for i, n in enumerate(labels)},
    )  # fmt: skip
    model = transformers.BertForSequenceClassification(config)
    if bias is not None:
        model.classifier.weight.data.zero_()
        model.classifier.bias.data = torch.tensor(bias)
    model.save_pretrained(folder)
    numbers = {token: number for number, token in enumerate(VOCABULARY)}
    made = Tokenizer(models.WordLevel(numbers, unk_token="[UNK]"))  # noqa: S106
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", numbers["[CLS]"]), ("[SEP]", numbers["[SEP]"])],
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=made,
        model_max_length=limit,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **{f"{name}_token": f"[{name.upper()}]" for name in ("unk", "pad", "cls", "sep")},
    ).save_pretrained(folder)
    return str(folder)


def verifier(folder: str, **options: Any) -> EntailmentVerifier:
    return EntailmentVerifier(model=folder, **{"device": "cpu", "dtype": "float32", **options})


def inference(folder: str, **options: Any) -> Inference:
    place = Path(folder)
    given: dict[str, Any] = {"batch_tokens": None, **options}
    return Inference(
        place, labels_of(place, None), device="cpu", dtype="float32", trust_remote_code=False,
        **given,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return saved(tmp_path_factory.mktemp("models") / "nli")


def direct(folder: str, premise: str, hypothesis: str) -> dict[str, float]:
    """What transformers itself makes of one pair."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        logits = model(**tokenizer(premise, hypothesis, return_tensors="pt")).logits[0]
    names = model.config.id2label
    return {names[i].lower(): float(p) for i, p in enumerate(logits.softmax(dim=0))}


def test_a_claim_gets_what_the_model_says_of_it(folder: str) -> None:
    text = "The femur is a long bone."
    said = direct(folder, text, "The heart pumps blood.")
    [found] = verifier(folder).verify([cited([("The heart pumps blood.", (1,))], text)])
    # float32 on one machine: only the order of sums may differ.
    assert found.claims[0].score == pytest.approx(said["entailment"], abs=1e-5)


def test_a_pair_is_judged_alike_in_any_batch(folder: str) -> None:
    pairs = [(" ".join(WORDS[:n]), " ".join(WORDS[n : 2 * n])) for n in range(1, 10)]
    alone = np.array([inference(folder).verdicts([pair])[0] for pair in pairs])
    together = np.array(inference(folder).verdicts(pairs))
    by_few = np.array(inference(folder, batch_tokens=40).verdicts(pairs))
    # Padding moves sums by rounding only.
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(by_few, alone, atol=1e-5)
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-5)
    assert alone.std(axis=0).min() > 1e-3


def test_the_same_answers_get_the_same_supports_again(folder: str) -> None:
    answers = [cited([("The heart pumps blood.", (1, 2)), ("A bone.", (2,))], TEXT, "No bone.")]
    assert verifier(folder).verify(answers) == verifier(folder).verify(answers)


@pytest.mark.parametrize(
    ("labels", "bias", "support"),
    [
        (("entailment", "neutral", "contradiction"), [3.0, 0.0, 0.0], "supported"),
        (("contradiction", "entailment", "neutral"), [3.0, 0.0, 0.0], "contradicted"),
        (("neutral", "contradiction", "entailment"), [3.0, 0.0, 0.0], "unsupported"),
        (("entailment", "not_entailment"), [0.0, 3.0], "unsupported"),
        (("not-entailment", "ENTAILMENT"), [0.0, 3.0], "supported"),
        (("refutes", "supports", "not enough info"), [3.0, 0.0, 0.0], "contradicted"),
    ],
)
def test_classes_are_known_by_name_in_any_order(
    tmp_path: Path, labels: tuple[str, ...], bias: list[float], support: str
) -> None:
    made = verifier(saved(tmp_path / "m", labels, bias=bias))
    [found] = made.verify([cited([("The heart pumps blood.", (1,))], TEXT)])
    assert found.claims[0].support == support


def test_classes_without_names_must_be_named(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", ("LABEL_0", "LABEL_1", "LABEL_2"), bias=[0.0, 5.0, 0.0])
    with pytest.raises(RecipeError, match=r"'LABEL_0'.*labels: \["):
        verifier(folder)
    made = verifier(folder, labels=("neutral", "entailment", "contradiction"))
    [found] = made.verify([cited([("The heart pumps blood.", (1,))], TEXT)])
    assert found.claims[0].support == "supported"
    with pytest.raises(RecipeError, match=r"names 2 classes.*has 3"):
        verifier(folder, labels=("neutral", "entailment"))
    with pytest.raises(RecipeError, match="each once"):
        verifier(folder, labels=("entailment", "entailment", "neutral"))
    with pytest.raises(RecipeError, match="expected entailment"):
        verifier(folder, labels=("neutral", "contradiction", "positive"))


def test_claims_without_evidence_or_too_long_for_the_model_stay_unchecked(folder: str) -> None:
    claims = [("A bone.", ()), ("A bone.", (1,)), ("bone " * 20, (2,)), ("A bone.", (2,))]
    [found] = verifier(folder).verify([cited(claims, " ", TEXT)])
    supports = [claim.support for claim in found.claims]
    assert supports[:3] == ["unchecked"] * 3
    assert supports[3] != "unchecked"
    assert [claim.score is None for claim in found.claims] == [True, True, True, False]


def test_a_bare_yes_or_no_states_nothing_that_could_be_entailed(folder: str) -> None:
    [found] = verifier(folder).verify([cited([("Yes.", (1,)), ("No", (1,))], TEXT)])
    assert [claim.support for claim in found.claims] == ["unchecked"] * 2


def test_without_anything_to_judge_no_model_is_loaded(folder: str) -> None:
    made = verifier(folder)
    answers = [cited([("A bone.", ())], TEXT)]
    assert made.verify(answers) == answers


@pytest.mark.parametrize(
    ("verdicts", "support", "score"),
    [
        # The most certain entailment of any window counts.
        ([(0.1, 0.8, 0.1), (0.7, 0.2, 0.1)], "supported", 0.7),
        # One window speaks of something else and "contradicts", one entails: supported.
        ([(0.0, 0.1, 0.9), (0.6, 0.3, 0.1)], "supported", 0.6),
        # The least neutral window contradicts.
        ([(0.2, 0.7, 0.1), (0.1, 0.1, 0.8)], "contradicted", 0.2),
        # Entailment of less than a half, and the least neutral one does not contradict.
        ([(0.45, 0.2, 0.35), (0.0, 0.45, 0.55)], "unsupported", 0.45),
        ([(0.4, 0.1, 0.5)], "contradicted", 0.4),
        ([], "unchecked", None),
    ],
)
def test_windows_speak_together(
    folder: str, verdicts: list[tuple[float, float, float]], support: str, score: float | None
) -> None:
    claim = cited([("A bone.", (1,))], TEXT).claims[0]
    found = verifier(folder)._judged(claim, [Verdict(*each) for each in verdicts])
    assert (found.support, found.score) == (support, score)


def words(texts: Any) -> list[int]:
    return [len(text.split()) for text in texts]


def test_texts_that_fit_are_read_at_once() -> None:
    there = [passage("The femur is a bone."), passage("It is long. Very long.")]
    found = premises("The femur is long.", there, room=50, most=8, count=words)
    assert found == ["The femur is a bone. It is long. Very long."]


def test_long_texts_are_read_in_windows_the_telling_sentences_first() -> None:
    text = " ".join(f"Sentence {n} is about nothing at all." for n in range(10))
    there = [passage(f"{text} The femur is long."), passage(f"It is a femur. {text}")]
    found = premises("The femur is long.", there, room=16, most=4, count=words)
    assert len(found) == 4
    assert found[0].endswith("The femur is long. It is a femur.")
    assert all(len(window.split()) <= 16 for window in found)
    every = premises("The femur is long.", there, room=16, most=99, count=words)
    for n in range(10):
        assert any(f"Sentence {n} is" in window for window in every)


def test_a_sentence_that_is_too_long_is_cut_between_words() -> None:
    said = " ".join(f"word{n}" for n in range(100))
    found = premises("word1", [passage(said)], room=10, most=99, count=words)
    assert all(len(window.split()) <= 10 for window in found)
    assert {word for window in found for word in window.split()} == set(said.split())
    assert premises("word1", [passage("a" * 99)], room=10, most=9, count=lambda t: [99] * len(t))


def test_windows_that_are_read_fit_the_model(folder: str) -> None:
    # 32 places, 3 for the model's own marks; a word outside the vocabulary is one token here.
    made = verifier(folder)
    long = " ".join([TEXT] * 10)
    answer = cited([("The heart pumps blood.", (1,))], long)
    pairs = made._pairs(answer, answer.claims[0])
    lengths = [sum(made._inference.count(pair)) for pair in pairs]
    assert len(pairs) > 1
    assert max(lengths) <= made._inference.room() == 29
    assert made.verify([answer])[0].claims[0].score is not None


def test_wrong_options_and_folders_are_refused(folder: str, tmp_path: Path) -> None:
    for options in ({"least": 0}, {"windows": 0}, {"batch_tokens": 0}, {"dtype": "int3"}):
        with pytest.raises(ValueError, match=next(iter(options))):
            verifier(folder, **options)
    with pytest.raises(RecipeError, match="does not exist"):
        verifier(str(tmp_path / "none"))


def test_its_name_tells_what_changes_supports(folder: str) -> None:
    one = verifier(folder)
    assert one.name == verifier(folder).name
    assert one.name != verifier(folder, least=0.6).name
    assert one.numerics == "cpu float32"
