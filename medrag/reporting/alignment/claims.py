"""What may be claimed, in sentences: against the SFT control alone."""

from medrag.alignment.comparing import AlignmentComparison, Claim, Difference
from medrag.reporting.alignment.beside import p_shown, relative
from medrag.reporting.alignment.names import measure_name
from medrag.reporting.evaluation.numbers import MISSING, interval, number
from medrag.reporting.markup import Html, element, joined


def claims_list(found: AlignmentComparison) -> Html:
    """List the gains over the SFT control with what speaks against each, and the losses."""
    parts: list[Html] = [element("p", found.claims_note, class_="told")]
    if found.claims:
        parts.append(element("ul", *map(_entry, found.claims), class_="claims"))
    if found.losses:
        parts.append(element("h3", "Worse than the SFT control"))
        parts.append(element("ul", *map(_entry, found.losses), class_="claims losses"))
    return joined(*parts)


def sentence(claim: Claim) -> str:
    """Say a claim: "dpo: same answer, blank picture 22.7 → 12.0, −10.7 points [...]"."""
    one = claim.difference
    return f"{claim.variant}: {measure_name(claim.measure)} {change(one)}"


def change(one: Difference) -> str:
    """Write what changed, by how many points and what share, and how sure that is."""
    sign = "+" if one.value.value > 0 else ""
    told = f"{number(one.a, '')} → {number(one.b, '')}, {sign}{number(one.value.value, '')} points "
    told += interval(one.value, "")
    share = relative(one)
    shown = f", relative {share}" if share != MISSING else ""
    return f"{told}{shown}; p {_p(one)}"


def _p(one: Difference) -> str:
    shown = p_shown(one.adjusted_p)
    return shown if shown.startswith("<") else f"= {shown}"


def _entry(claim: Claim) -> Html:
    caveats = [element("li", f"{each[:1].upper()}{each[1:]}.") for each in claim.caveats]
    return element(
        "li", element("b", f"{claim.variant}: {measure_name(claim.measure)}"), " ",
        change(claim.difference), element("ul", *caveats, class_="caveats") if caveats else "",
    )  # fmt: skip
