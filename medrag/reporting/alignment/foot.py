"""What a comparison rests on: its measures, its statistics, its runs, and how to do it again."""

from collections.abc import Sequence
from shlex import quote

from medrag.alignment.comparing import AlignmentComparison, Training
from medrag.reporting.alignment.names import measure_name, measure_told
from medrag.reporting.markup import Html, element, joined

_STATISTICS = (
    "An item is right where the first headline measure that counts it is 0.5 or more. All "
    "numbers are of the items that every run answered in every arm.",
    "Intervals are 95%, by drawing again the clusters of items (an image or a patient with all "
    "its questions) and, where there are several, the seeds of each variant.",
    "p: with one seed each, a paired permutation test that swaps whole clusters; with more, the "
    "share of resamples about no difference that lie as far out. Holm's correction over all "
    "measures of all variants that stand beside the same one; image-blind accuracy is no gain "
    "either way, and is not tested.",
    "A gain is claimed only of a method, and only against the SFT control, which was trained on "
    "right answers for as many steps. Beside the model before training, every training looks like "
    "a gain.",
)


def foot(found: AlignmentComparison) -> Html:
    """Write definitions, statistics, runs and the commands that repeat the comparison."""
    names = list(dict.fromkeys(name for each in found.variants for name in each.measures))
    told = {measure_name(n): measure_told(n) for n in names if not n.startswith("accuracy")}
    shown = {name: about for name, about in told.items() if about}
    defined = [joined(element("dt", name), element("dd", about)) for name, about in shown.items()]
    return joined(
        element("h2", "What this rests on"),
        element("ul", *(element("li", each) for each in _STATISTICS), class_="notes"),
        element("dl", *defined, class_="manifest") if defined else "",
        element("h3", "Runs"),
        element("div", _runs(found), class_="scroll"),
        element("h3", "Do it again"),
        element("pre", _command(found)),
    )


def _runs(found: AlignmentComparison) -> Html:
    columns = ("variant", "run", "seed", "steps", "pairs")
    head = element("tr", *(element("th", each, scope="col") for each in columns))
    rows = [
        element("tr", element("th", each.name, scope="row"), *_cells(training))
        for each in found.variants
        for training in each.trainings
    ]
    return element("table", element("thead", head), element("tbody", *rows), class_="wide")


def _cells(training: Training) -> Sequence[Html]:
    numbers = (training.seed, training.n_steps, training.n_pairs)
    shown = [f"{each:,}" if each is not None else "–" for each in numbers]
    return [element("td", each) for each in (str(training.run), *shown)]


def _command(found: AlignmentComparison) -> str:
    runs = [
        f"--run {quote(f'{each.name}={training.run}')}"
        for each in found.variants
        for training in each.trainings
    ]
    faithful = " --faithful" if found.mode == "faithful" else ""
    how = f"--protocol {quote(found.protocol)}{faithful} --out report.html"
    return " \\\n    ".join(["medrag align report", *runs, how])
