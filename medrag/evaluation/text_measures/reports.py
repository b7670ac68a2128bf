"""The cleaning of reports that R2Gen began and papers on report generation go on with."""

import re
from collections.abc import Collection, Mapping

# How often two points, spaces and strokes are halved; each pass halves the length of a run.
_PASSES: Mapping[str, Mapping[str, int]] = {
    "iu_xray": {"..": 3},
    "mimic_cxr": {"__": 7, "  ": 6, "..": 8},
}
# The released code writes the range ":-[" inside its brackets: ; < = > ? @ go with the colon, and
# the hyphen stays.
_DROPPED = re.compile(r"""[]\[.,?;*!%^&_+():<=>@{}"/\\']""")


def cleaned_report(
    text: str,
    *,
    dataset: str = "iu_xray",
    vocabulary: Collection[str] | None = None,
    max_tokens: int | None = None,
) -> str:
    """Clean a report as R2Gen does before it learns and before it scores.

    Lower case; list numbers 1 to 5 and most punctuation are gone; sentences are parted, and the
    report is ended, by " . ". Figures lose their points ("1.5 cm" becomes "15 cm").

    Args:
        dataset: "iu_xray" or "mimic_cxr"; the second also joins lines, spaces and blanks ("___").
        vocabulary: words that the model knows, those above a threshold of frequency in the
            training reports; others become "<unk>". None keeps all.
        max_tokens: R2Gen's maximum sequence length, 60 (IU) or 100 (MIMIC). The start symbol
            counts in it, so one word less is kept.

    Raises:
        ValueError: if the data set is another, or max_tokens is below 1.

    Source:
        Chen et al., "Generating radiology reports via memory-driven transformer", EMNLP 2020, and
        its released tokeniser.
    """
    if dataset not in _PASSES:
        raise ValueError(f"dataset must be one of {', '.join(_PASSES)}, got {dataset!r}")
    if max_tokens is not None and max_tokens < 1:
        raise ValueError(f"max_tokens must be at least 1, got {max_tokens}")
    sentences = _without_numbers(text, dataset).strip().lower().split(". ")
    # Quotes and slashes go before the ends are stripped, other punctuation after, as released.
    bare = (re.sub(r"""["/\\']""", "", sentence).strip() for sentence in sentences)
    cleaned = " . ".join(_DROPPED.sub("", sentence) for sentence in bare) + " ."
    if vocabulary is None and max_tokens is None:
        return cleaned
    words = cleaned.split()[: None if max_tokens is None else max_tokens - 1]
    return " ".join(word if vocabulary is None or word in vocabulary else "<unk>" for word in words)


def _without_numbers(text: str, dataset: str) -> str:
    text = text.replace("\n", " ") if dataset == "mimic_cxr" else text
    for pair, n_passes in _PASSES[dataset].items():
        for _ in range(n_passes):
            text = text.replace(pair, pair[0])
    text = text.replace("1. ", "")
    for before in (". ", " "):
        for number in "2345":
            text = text.replace(f"{before}{number}. ", ". ")
    return text
