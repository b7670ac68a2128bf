"""The closed vocabulary of the phantoms: signs, diseases, remedies, and how things are asked."""

SIGNS = ("ring", "cross", "bar", "wave", "star", "grid")
DISEASES = ("amaria", "belosis", "cortia", "dulema", "efrosis", "falgia")
REMEDIES = ("rest", "salt", "milk", "honey", "sun", "water")
COUNTS = ("one", "two", "three")
# Of the graph: disease to remedy.
NEEDS = "needs"

WHICH_SIGN = "Which sign is shown?"
HOW_MANY = "How many signs are shown?"
# Answered by the sign and what it means: "ring amaria".
WHICH_BOTH = "Which sign and disease are shown?"


def is_shown(sign: str) -> str:
    """Ask whether a picture shows a sign."""
    return f"Is a {sign} shown?"


def meaning_of(sign: str) -> str:
    """Ask which disease a sign means."""
    return f"What is meant by {sign}?"


def need_of(disease: str) -> str:
    """Ask which remedy a disease needs."""
    return f"What is needed by {disease}?"


def is_sign(word: str) -> str:
    """Ask what needs neither picture nor library."""
    return f"Is {word} a sign?"


def page_text(meanings: list[tuple[str, str]]) -> str:
    """Write what some signs mean, as a page of the library says it."""
    told = " ".join(f"{sign} means {disease}." for sign, disease in meanings)
    return f"Sign and disease. {told}"


def report_text(sign: str, count: str) -> str:
    """Write the findings of a report."""
    return f"{count} {sign}"


def both_of(sign: str, disease: str) -> str:
    """Write the answer that needs the picture and the library."""
    return f"{sign} {disease}"
