"""What is held against what, and which variants are there to be held against."""

from collections.abc import Sequence

from medrag.alignment.comparing.records import BASE, SFT

SHUFFLED, TEXT_ONLY = "-shuffled", "text-only"


def pairs_of(names: Sequence[str]) -> list[tuple[str, str]]:
    """List what is held against what: (a, b), b minus a.

    All stand beside base, all trained ones beside SFT, methods beside further supervised controls
    ("sft-NAME"), and each beside controls of its own: "NAME-shuffled", the same with its weights
    dealt out anew, and "NAME-text-only", without the pairs whose pictures differ; "text-only" is
    that of "dpo".
    """
    pairs = [(BASE, name) for name in names if name != BASE] if BASE in names else []
    trained = [name for name in names if name not in (BASE, SFT)]
    pairs += [(SFT, name) for name in trained] if SFT in names else []
    methods = [name for name in trained if not is_control(name)]
    supervised = [name for name in trained if is_supervised(name)]
    pairs += [(control, name) for control in supervised for name in methods]
    return pairs + [
        (control, name) for name in methods for control in controls_of(name) if control in names
    ]


def controls_of(name: str) -> tuple[str, ...]:
    """Name the controls that a variant may have of its own."""
    own = (f"{name}{SHUFFLED}", f"{name}-{TEXT_ONLY}")
    return (*own, TEXT_ONLY) if name == "dpo" else own


def is_supervised(name: str) -> bool:
    """Tell whether a variant is trained on right answers alone."""
    return name == SFT or name.startswith(f"{SFT}-")


def is_control(name: str) -> bool:
    """Tell whether a variant is there to be held against, so that nothing is claimed of it."""
    return name == BASE or is_supervised(name) or name.endswith((SHUFFLED, TEXT_ONLY))
