"""Support of claims by words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.verification.lexical import LexicalVerifier, grounds, held_share
from tests.verification.made import cited, passage

FEMUR = passage("The femur is the longest bone. It measures 48 cm in men.")


@pytest.mark.parametrize(
    ("claim", "support", "score"),
    [
        # Stems: femur, longest, bone.
        ("The femur is the longest bone.", "supported", 1.0),
        ("A. The femur is the longest bone.", "supported", 1.0),
        ("Yes, the femur is the longest bone.", "supported", 1.0),
        # femur and bone, not hand and small: 2 of 4.
        ("The femur is a small bone of the hand.", "unsupported", 0.5),
        ("The femur measures 48 cm.", "supported", 1.0),
        # Another number of the same thing is a contradiction, and counts for all in the share.
        ("The femur, the longest bone, measures 52 cm in men.", "contradicted", 0.0),
        # One of another thing is not settled.
        ("The femur of a horse measures 39 cm.", "unsupported", 0.0),
        ("The femur is not the longest bone.", "contradicted", 1.0),
        ("Yes.", "unchecked", None),
    ],
)
def test_words_and_numbers_decide(claim: str, support: str, score: float | None) -> None:
    assert grounds(claim, [FEMUR]) == (support, score)


S, U, C = "supported", "unsupported", "contradicted"


@pytest.mark.parametrize(
    ("support", "claim", "evidence"),
    [
        # Inflection, British and American, synonyms, adjective and noun.
        (S, "The aorta is dilated.", "There is dilatation of the aorta."),
        (S, "Hepatic oedema was found.", "Edema of the liver is present."),
        (S, "The patient coughed up blood.", "The patient had haemoptysis."),
        (S, "The heart is enlarged.", "Cardiomegaly."),
        (S, "Any joint may be affected by gout.", "Gout may affect any joint."),
        (U, "Sodium is low.", "Potassium is low."),
        (U, "Metformin lowers blood glucose.", "Insulin lowers blood glucose."),
        # Affirmed and denied.
        (C, "There is no murmur.", "A harsh systolic murmur is heard at the apex."),
        (C, "The lesion has a stalk.", "The lesion lacks a stalk."),
        (C, "The abdomen is tender.", "The abdomen is soft and non-tender."),
        (C, "Chest pain is ongoing.", "The chest pain subsided after nitroglycerin."),
        (C, "The patient takes warfarin.", "Warfarin was discontinued after the bleed."),
        (C, "The tympanic membrane is perforated.", "The tympanic membrane is intact."),
        (S, "The thyroid is not enlarged.", "The thyroid gland is of normal size."),
        (S, "The tumour does not invade the muscle.", "No invasion of the muscle by the tumour."),
        (S, "The lymph nodes are not enlarged.", "There is no lymphadenopathy."),
        (U, "There is no aortic stenosis.", "There is no mitral stenosis."),
        # Left open.
        (U, "The patient has appendicitis.", "Appendicitis cannot be excluded."),
        (U, "The mole is a melanoma.", "The mole is suspicious for melanoma."),
        (U, "No embolism is present.", "The arteries were not assessed for embolism."),
        (S, "Endometriosis is possible.", "The pain may be caused by endometriosis."),
        # Sides.
        (C, "The left pupil is dilated.", "The right pupil is dilated."),
        (C, "Only the right lung is affected.", "Both lungs are affected."),
        (S, "The left knee is swollen.", "There is swelling of both knees."),
        (S, "Both ankles are swollen.", "The right ankle and the left ankle are swollen."),
        (U, "The left tibia is broken.", "A tibia is broken."),
        (U, "No left effusion is seen.", "No right effusion is seen."),
        # Numbers and units.
        (S, "The stone measures 6 mm.", "The stone is 0.6 cm in diameter."),
        (C, "The stone measures 6 cm.", "The ureteric stone measures 6 mm."),
        (C, "Sodium is 128 mmol/L.", "Sodium 141 mmol/L, potassium 4.0 mmol/L."),
        (U, "Potassium is 141 mmol/L.", "Sodium 141 mmol/L, potassium was not measured."),
        (S, "She takes 100 mg per day.", "She takes 100 mg once daily."),
        (U, "The cyst measures 40 mm.", "The cyst contains 40 mL of fluid."),
        (U, "Six teeth are missing.", "Some teeth are missing."),
        (S, "The tumour is larger than 3 cm.", "The tumour measures 4.2 cm."),
        (S, "The mass is ovarian. It measures 4 cm.", "The ovarian mass measures 4 cm."),
        # Of which only one can be so.
        (C, "The ulcer lies in the duodenum.", "The ulcer lies in the stomach."),
        (C, "The cyst arises from the ovary.", "The cyst arises from the tube near the ovary."),
        (C, "The culture grew Candida.", "The culture grew Aspergillus."),
        (C, "The mass is benign.", "The mass is malignant."),
        (C, "The drug lowers the risk of stroke.", "The drug increases the risk of stroke."),
        (U, "The patient has gout.", "The patient has psoriasis."),
        (U, "Syphilis may involve the aorta.", "Syphilis may involve the eye."),
        # A part that is not covered.
        (U, "The aneurysm has ruptured.", "There is an aneurysm of the aorta."),
        (U, "The liver is enlarged.", "The liver contains a cyst. The spleen is enlarged."),
        (S, "The ovary is large and holds a cyst.", "The ovary is large. It holds a cyst."),
        # Said of a part of a list, of a noun before "which", of a relative.
        (S, "The uterus is not enlarged.", "Uterus of normal size, right ovary enlarged."),
        (S, "The nerve was spared.", "The mass was cut off the nerve, which was not injured."),
        (U, "The patient has psoriasis.", "The patient's sister has psoriasis."),
        # Another ending, the other side, both sides in two clauses, a side left open.
        (S, "Inhibition by the drug is irreversible.", "The drug inhibits irreversibly."),
        (C, "The left ear is healthy.", "Right ear healthy; contralateral ear inflamed."),
        (S, "Both adrenals are normal.", "The right adrenal is normal. So is the left."),
        (U, "The left ovary holds a cyst.", "The right ovary holds a cyst, the left was not seen."),
        (U, "Both cords are mobile.", "The left cord is mobile; the right could not be judged."),
        # Shares of counts, bounds, spans of time, all of several.
        (S, "Half of the grafts were patent.", "Of four grafts, two were patent."),
        (C, "Fewer than a third of the women relapsed.", "Relapse struck 58 of the 90 women."),
        (C, "The duct is at least 5 mm wide.", "The duct is no more than 3 mm wide."),
        (C, "All four glands were removed.", "Three of the four glands were removed."),
        (C, "The bladder holds a single stone.", "Four stones are seen in the bladder."),
        # Who does what to whom, and where.
        (U, "Depression causes pain.", "Pain often causes depression."),
        (C, "The rash began on the face.", "The rash began on the trunk."),
        (U, "The patient is allergic to nuts.", "The patient is allergic to shellfish."),
        (S, "Staphylococcus aureus grew.", "The swab grew S. aureus."),
    ],
)
def test_claims_are_held_against_what_is_said_of_the_same(
    support: str, claim: str, evidence: str
) -> None:
    assert grounds(claim, [passage(evidence)]).support == support


@pytest.mark.parametrize(
    ("language", "support", "claim", "evidence"),
    [
        ("de", C, "Kein Pleuraerguss.", "Es besteht ein kleiner Pleuraerguss."),
        ("de", S, "Kein Pleuraerguss.", "Keine Stauung, kein Pleuraerguss."),
        ("fr", C, "Épanchement pleural gauche.", "Épanchement pleural droit."),
        ("es", S, "Derrame pleural izquierdo.", "Hay un derrame pleural izquierdo."),
        ("it", C, "Nodulo di 8 mm.", "Nodulo di 8 cm."),
        ("nl", U, "Er is een fractuur.", "Er is een zwelling."),
    ],
)
def test_other_languages_are_read_by_stems_sides_negations_and_numbers(
    language: str, support: str, claim: str, evidence: str
) -> None:
    assert grounds(claim, [passage(evidence, language=language)]).support == support


@given(st.text(alphabet="no left right effusion. 3 cm may be;, in the not and lung\n"))
def test_a_text_never_contradicts_itself(text: str) -> None:
    # What a text says of itself in two ways may be found to conflict; a sentence alone may not.
    sentence = text.replace(".", " ").replace(";", " ").replace("\n", " ")
    found = grounds(sentence, [passage(sentence)])
    assert found.support in ({"supported", "unchecked"} if sentence.strip() else {"unchecked"})


def test_passages_are_taken_together() -> None:
    one, two = passage("The femur is a bone."), passage("It is long.")
    # Stems: femur, long, bone: two of three, one of three, all.
    shares = [held_share("The femur: a long bone", each) for each in ([one], [two], [one, two])]
    assert shares == pytest.approx([2 / 3, 1 / 3, 1])
    assert held_share("The femur", []) is None


def test_claims_without_markers_or_text_stay_unchecked() -> None:
    answer = cited(
        [("The femur is a bone.", ()), ("The femur.", (1,)), ("The femur.", (2,))], " ", "Femur."
    )
    [found] = LexicalVerifier().verify([answer])
    assert [c.support for c in found.claims] == ["unchecked", "unchecked", "supported"]
    assert [c.score for c in found.claims] == [None, None, 1.0]


def test_the_share_can_be_set() -> None:
    answer = cited([("The femur is a small bone of the hand.", (1,))], FEMUR.text)
    [found] = LexicalVerifier(least=0.5).verify([answer])
    assert found.claims[0].support == "supported"
    [strict] = LexicalVerifier().verify([answer])
    assert strict.claims[0].support == "unsupported"
    for least in (0, 1.1):
        with pytest.raises(ValueError, match="least"):
            LexicalVerifier(least=least)
