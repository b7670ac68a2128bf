import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st

from medrag.evaluation.text_measures import NORMALISERS, tokens


def test_chinese_is_split_by_character_and_other_words_are_kept() -> None:
    assert tokens("左肺CT正常。") == ["左", "肺", "ct", "正", "常"]


def test_arabic_is_kept_without_its_vowel_signs() -> None:
    assert tokens("الرِّئَةُ سليمة") == ["الرئة", "سليمة"]


def test_a_vowel_sign_of_hindi_stays_within_its_word() -> None:
    assert tokens("फेफड़े साफ") == tokens("फेफड़े, साफ!")
    assert len(tokens("फेफड़े साफ")) == 2


def test_a_number_keeps_its_decimals_and_loses_its_full_stop() -> None:
    assert tokens("It is 2.5 cm, not 12.") == ["it", "is", "2.5", "cm", "not", "12"]


def test_accents_and_wide_letters_are_one_way_of_writing() -> None:
    assert tokens("\uff23\uff34 e\u0301tat") == tokens("CT \u00e9tat")


def test_squad_drops_articles_and_punctuation() -> None:
    assert tokens("The left lung, a lobe.", "squad") == ["left", "lung", "lobe"]


def test_split_drops_nothing() -> None:
    assert tokens("No  effusion.", "split") == ["no", "effusion."]


def test_an_unknown_normaliser_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="known are 13a, r2gen_iu_xray"):
        tokens("x", "nltk")


@given(text=st.text(max_size=60))
def test_no_text_breaks_a_normaliser(text: str) -> None:
    for name in NORMALISERS:
        assert all(token and not token.isspace() for token in tokens(text, name))


@given(
    text=st.text(alphabet="aZ0é.,-'\"$%&()<>;!\n ", max_size=60)
    | st.sampled_from(["&quot;5-mm&quot; &lt;3.5", "1,200.5 cc.", "<skipped>x", "follow-\nup."])
)
def test_13a_is_the_tokeniser_of_sacrebleu(text: str) -> None:
    theirs = sacrebleu.metrics.bleu._get_tokenizer("13a")()(text.rstrip()).split()
    assert tokens(text, "13a") == theirs
