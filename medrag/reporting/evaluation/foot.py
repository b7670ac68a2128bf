"""What the numbers rest on: the protocol, the manifest of the run, and how to do it again."""

import json
import re
from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any

from medrag.evaluation.runs import Run
from medrag.evaluation.scores import Scores
from medrag.reporting.evaluation.names import arm_name, is_floor
from medrag.reporting.evaluation.numbers import MISSING
from medrag.reporting.evaluation.told import told
from medrag.reporting.markup import Html, element, joined
from medrag.reporting.words import shortened

_HASH = 16
_SHA256 = re.compile("[0-9a-f]{64}")
_LONG = 300
# What the page shows in other places.
_ELSEWHERE = frozenset({"notes", "problems", "memory"})


def foot(run: Run, scores: Scores, notes: Sequence[str]) -> Html:
    """Write protocol, notes, manifest and the commands that repeat the run."""
    protocol = told(scores)
    listed = [element("li", note) for note in (*notes, *_notes(run.manifest))]
    return joined(
        element("h2", "What this rests on"),
        element("p", element("b", f"{scores.protocol}, {scores.mode}. "), protocol.counts, " ",
                protocol.mode),
        element("p", f"Protocol: {protocol.source}.") if protocol.source else "",
        element("p", "Intervals are 95% by bootstrap over clusters: rows that share an image or a "
                "patient are drawn together."),
        element("ul", *listed, class_="notes") if listed else "",
        _defects(protocol.defects, scores.mode),
        element("dl", *_manifest(run.manifest), class_="manifest"),
        element("h3", "Do it again"),
        element("pre", "\n".join(_commands(run.manifest, scores))),
    )  # fmt: skip


def part(manifest: Mapping[str, Any], name: str, key: str = "name") -> str:
    """Give what a manifest says of benchmark, pipeline or index; a dash if nothing."""
    found = manifest.get(name)
    value = found.get(key) if isinstance(found, Mapping) else found if key == "name" else None
    return MISSING if value is None or value == "" else str(value)


def _defects(defects: Sequence[str], mode: str) -> Html:
    """Fold away where the released scorer goes wrong."""
    if not defects:
        return Html("")
    here = "repeated here" if mode == "faithful" else "not repeated here"
    about = element("summary", f"Defects of the released scorer, {here} ({len(defects)})")
    entries = []
    for defect in defects:
        name, colon, sentence = defect.partition(": ")
        entries.append(element("li", element("b", name + colon), sentence))
    return element("details", about, element("ul", *entries, class_="notes"))


def _notes(manifest: Mapping[str, Any]) -> list[str]:
    """Give what the run noted of its arms."""
    noted = manifest.get("notes")
    pairs = noted.items() if isinstance(noted, Mapping) else ()
    return [f"{arm_name(str(arm))}: {note}" for arm, note in pairs]


def _manifest(manifest: Mapping[str, Any]) -> list[Html]:
    rows: list[tuple[str, str, str]] = []
    for key, value in manifest.items():
        if key in _ELSEWHERE:
            continue
        if isinstance(value, Mapping):
            rows += [(f"{key} {inner}", _shown(each), str(each))
                     for inner, each in value.items()]  # fmt: skip
        elif isinstance(value, list | tuple):
            rows.append((str(key), ", ".join(map(str, value)), ""))
        else:
            rows.append((str(key), _shown(value), ""))
    return [
        joined(element("dt", name.replace("_", " ")),
               element("dd", shortened(shown, _LONG), title=shortened(whole, _LONG) or None))
        for name, shown, whole in rows
    ]  # fmt: skip


def _shown(value: object) -> str:
    if value is None:
        return MISSING
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    text = str(value)
    return text[:_HASH] + "…" if _SHA256.fullmatch(text) else text


def _commands(manifest: Mapping[str, Any], scores: Scores) -> list[str]:
    pipeline = part(manifest, "pipeline")
    asked = quote(pipeline) if pipeline != MISSING else "PIPELINE"
    arms = manifest.get("arms")
    named = [str(arm) for arm in arms if not is_floor(str(arm))] if isinstance(arms, list) else []
    chosen = "".join(f" \\\n    --arm {quote(arm)}" for arm in named)
    faithful = " --faithful" if scores.mode == "faithful" else ""
    how = f"--protocol {quote(scores.protocol)}{faithful}"
    benchmark = f"{quote(scores.benchmark)} --split {quote(scores.split)}"
    seed = quote(str(manifest.get("seed", 0)))
    return [
        f"medrag eval run {asked} {benchmark} --data DIR --out RUN --seed {seed}{chosen}",
        f"medrag eval score RUN {how}",
        f"medrag eval report RUN {how} --html report.html",
    ]
