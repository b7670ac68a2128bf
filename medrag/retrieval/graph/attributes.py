"""What can be seen of a finding, read out of definitions and sentences of textbooks.

Source:
    K2Sight, arXiv 2508.04572, for taking a definition apart into shape, intensity, density and
    location. The words are our own choice of those that Hansell et al., Fleischner Society glossary
    of terms for thoracic imaging, Radiology 246(3), 2008, and the ACR BI-RADS Atlas, 5th edition,
    2013 (shape, margin, density), define or use.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from medrag.language import negated_spans
from medrag.language.known import read_as

_LEAD = r"(?:(?:high|low|increased|decreased|reduced|intermediate)[- ])"
_NUMBER = r"\d+(?:\.\d+)?(?:\s*(?:-|–|to|x|×)\s*\d+(?:\.\d+)?)*\s*(?:mm|cm)\b"
# "Small intestine" and "large vessels" say nothing of a finding's size.
_OF_LESION = (
    r"(?=(?:,?\s+[\w-]+){0,2}\s+(?:opacit|nodul|mass|lesion|effusion|plaque|foc[iu]|shadow|cyst|"
    r"collection|papul|spot|tumou?r|defect|bubble|calcul|stone|polyp|haemorrhage|hemorrhage))"
)
_PATTERNS: Mapping[str, tuple[str, ...]] = {
    "shape": (
        r"round(?:ed)?", "oval", "ovoid", "spherical", "nodular", r"lobulated|lobular", "linear",
        "curvilinear", "tubular", "branching", "reticular", r"ring[- ]shaped", "annular",
        r"crescent(?:ic|[- ]shaped)?", r"wedge[- ]shaped", "triangular", r"lenticular|lentiform",
        "biconvex", r"band[- ]?like", r"plate[- ]?like", "meniscus", r"dome[- ]shaped", "stellate",
        "polygonal", r"tree[- ]in[- ]bud", r"butterfly|bat[- ]?wing", "flattened", "concave",
        "convex",
    ),
    "margin": (
        r"(?:well|ill|poorly|sharply)[- ](?:defined|circumscribed|marginated|demarcated)",
        "circumscribed", "spiculated", "indistinct", "obscured", "microlobulated", "blunted",
        r"(?:smooth|irregular|sharp|fuzzy|blurred|angular) (?:margins?|borders?|edges?|contours?)",
    ),
    "density": (
        rf"{_LEAD}?opacit(?:y|ies)", rf"{_LEAD}(?:attenuation|density)", "opaque", "radiopaque",
        r"radiolucen(?:t|cy)", r"lucen(?:t|cy|cies)", r"(?:hyper|hypo|iso)(?:dense|attenuating)",
        r"ground[- ]glass", r"part[- ]solid", "solid", r"calcifi(?:ed|cations?)", "cystic",
        r"consolidat(?:ed|ion)", r"(?:air|gas|fluid|fat)[- ]filled", "homogeneous", "heterogeneous",
    ),
    "intensity": (
        r"(?:hyper|hypo|iso)intense", rf"{_LEAD}signal(?: intensity)?",
        r"(?:hyper|hypo|iso|an)echoic", "echogenic", r"(?:bright|dark) signal",
    ),
    "size": (
        rf"(?:(?:less|more|greater|smaller|larger) than|up to|at least|about)\s+{_NUMBER}", _NUMBER,
        r"(?<!\w)[<>≤≥]\s*" + _NUMBER, r"(?:small|large|tiny|massive)" + _OF_LESION, "miliary",
        "enlarged", r"(?:thin|thick)[- ]walled",
    ),
}  # fmt: skip
_SIDES = (
    "left", "right", "upper", "lower", "middle", "medial", "lateral", "anterior", "posterior",
    "superior", "inferior", "apical", "basal", "basilar", "central", "peripheral", "subpleural",
    "perihilar", "hilar", "bilateral", "proximal", "distal", "pleural", "pulmonary", "cardiac",
    "mediastinal", "pericardial", "peritoneal", "subcutaneous", "dependent", "thoracic",
    "abdominal", "cranial", "cerebral", "renal", "hepatic", "biliary", "chest",
)  # fmt: skip
_PLACES = (
    r"lungs?", r"lobes?", r"lobules?", r"zones?", r"bases?", "apex", "apices", "hilum", "hila",
    "mediastinum", "diaphragm", r"hemidiaphragms?", "pleura", r"spaces?", r"cavit(?:y|ies)",
    r"costophrenic (?:angles?|sulc(?:us|i))", r"fissures?", r"ribs?", "heart", "pericardium",
    "aorta", "trachea", r"bronch(?:us|i|ioles?)", r"alveol(?:us|i)", r"air ?spaces?",
    "interstitium", r"walls?", "skin", "epidermis", "dermis", "retina", "macula", r"optic discs?",
    "vitreous", "cornea", "brain", "cortex", r"ventricles?", "cerebellum", "meninges", "liver",
    "gallbladder", "pancreas", r"kidneys?", "spleen", r"bones?", r"joints?", r"vertebrae?", "spine",
    "colon", "stomach", "bowel", "intestine", "oesophagus", "esophagus", "bladder", "uterus",
    r"ovar(?:y|ies)", "prostate", r"breasts?", "abdomen", "pelvis", r"arter(?:y|ies)", r"veins?",
    r"lymph nodes?", "thyroid", r"muscles?", r"sinus(?:es)?", r"tissues?",
)  # fmt: skip
_WORDS = {
    name: re.compile(rf"\b(?:{'|'.join(each)})(?!\w)" if name != "size"
                     else rf"(?:{'|'.join(each)})(?!\w)", re.IGNORECASE)
    for name, each in _PATTERNS.items()
}  # fmt: skip
_PLACE = re.compile(
    r"\b(?:in|within|inside|at|along|into|between|around|over|beneath|behind|near|of)\s+(?:the\s+|"
    r"a\s+|an\s+|both\s+|one\s+)*"
    rf"((?:(?:{'|'.join(_SIDES)})(?:\s+(?:and|or))?\s+){{0,3}}(?:{'|'.join(_PLACES)}))(?!\w)",
    re.IGNORECASE,
)
_MOST = 4
ATTRIBUTES: tuple[str, ...] = (*_PATTERNS, "location")


def visual_attributes(texts: Sequence[str], *, language: str = "en") -> dict[str, tuple[str, ...]]:
    """Read shape, margin, density, intensity, size and location of a finding out of texts on it.

    What a sentence denies ("without a sharp border") is left out. The words are English; a text of
    another language gives what it shares with them.

    Args:
        texts: definitions, or sentences that name the finding and say how it looks.
        language: of the texts, for what denies.

    Returns:
        For each attribute that is told, in the order of `ATTRIBUTES`, its values in small letters:
        those that more texts tell first, then in the order of the texts; at most four.
    """
    told: dict[str, Counter[str]] = {name: Counter() for name in ATTRIBUTES}
    for text in texts:
        denied = negated_spans(text, read_as(language))
        for name in ATTRIBUTES:
            # Counted once for each text: a word that one text repeats is no surer.
            told[name].update(dict.fromkeys(_values(name, text, denied), 1))
    return {
        name: tuple(value for value, _ in values.most_common(_MOST))
        for name, values in told.items()
        if values
    }


def with_attributes(definition: str, attributes: Mapping[str, Sequence[str]]) -> str:
    """Write a definition and what can be seen: "fluid in a space; shape: crescent, meniscus"."""
    seen = [f"{name}: {', '.join(values)}" for name, values in attributes.items()]
    return "; ".join(filter(None, (definition.strip(" ."), *seen)))


def _values(name: str, text: str, denied: Sequence[tuple[int, int]]) -> list[str]:
    pattern, group = (_PLACE, 1) if name == "location" else (_WORDS[name], 0)
    return [
        " ".join(match[group].casefold().split())
        for match in pattern.finditer(text)
        if not any(start < match.end(group) and end > match.start(group) for start, end in denied)
    ]
