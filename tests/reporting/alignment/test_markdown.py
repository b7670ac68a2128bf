"""Tables of a comparison for a paper."""

from dataclasses import replace

from medrag.alignment.comparing import AlignmentComparison
from medrag.reporting.alignment import alignment_tables
from tests.reporting.alignment.conftest import NOTE


def test_every_variant_is_a_column_and_every_table_is_square(found: AlignmentComparison) -> None:
    lines = alignment_tables(found).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    widths = {line.count(" | ") for line in rows}
    assert len(widths) == 2
    assert rows[0] == (
        "| % | base (1 seed) | sft (2 seeds) | dpo (2 seeds) | dpo-shuffled (2 seeds) "
        "| text-only (2 seeds) |"
    )
    assert any(line.startswith("| turned wrong by context | ") for line in rows)


def test_differences_are_those_beside_sft_and_own_controls(found: AlignmentComparison) -> None:
    written = alignment_tables(found)
    assert "| dpo beside sft | accuracy, with context |" in written
    assert "| dpo beside dpo-shuffled |" in written
    assert "beside base" not in written


def test_no_row_repeats_the_accuracy_of_an_arm(found: AlignmentComparison) -> None:
    written = alignment_tables(found)
    assert "| accuracy, blank picture |" in written
    assert "| same answer, blank picture |" in written
    assert "right without the picture" not in written


def test_notes_claims_and_problems_are_told(found: AlignmentComparison) -> None:
    written = alignment_tables(found)
    assert written.index(NOTE) < written.index("| ")
    assert found.claims_note in written
    assert "fewer than 3 seeds" in written


def test_what_speaks_against_a_claim_stands_below_it(found: AlignmentComparison) -> None:
    [first, *_] = found.claims
    doubted = replace(first, caveats=("the control 'text-only' is not shown to do worse",))
    lines = alignment_tables(replace(found, claims=(doubted,), losses=(first,))).splitlines()
    place = lines.index("  - the control 'text-only' is not shown to do worse")
    assert lines[place - 1].startswith(f"- {first.variant}: ")
    assert "Worse than the SFT control:" in lines[place:]


def test_names_cannot_break_a_table(found: AlignmentComparison) -> None:
    odd = tuple(replace(each, name=f"a|b\n{each.name}") for each in found.variants)
    head = next(
        line
        for line in alignment_tables(replace(found, variants=odd)).splitlines()
        if line.startswith("|")
    )
    assert head.startswith(r"| % | a\|b base (1 seed) | a\|b sft (2 seeds) |")
