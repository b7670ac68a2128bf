"""Reports, captions, cases, graph, symptoms, questions: what is written line by line."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from making.cases import CAPTIONS, CASES, QUESTIONS
from making.graph import RELATIONS, SYMPTOMS, TERMS
from making.layout import Placed
from making.reports import COLUMNS, REPORTS

LICENCE = "CC0-1.0"


def write_tables(library: Path) -> None:
    rows = [dict(zip(COLUMNS, report, strict=True)) | {"licence": LICENCE} for report in REPORTS]
    _write_csv(library / "reports.csv", [*COLUMNS, "licence"], rows, ",")
    _write_jsonl(library / "captions.jsonl", [row | {"licence": LICENCE} for row in CAPTIONS])
    _write_jsonl(library / "cases.jsonl", [row | {"licence": LICENCE} for row in CASES])
    names = ["disease_id", "disease_label", "symptom_id", "symptom_label"]
    symptoms = [dict(zip(names, row, strict=True)) for row in SYMPTOMS]
    _write_csv(library / "symptoms.tsv", names, symptoms, "\t")


def write_graph(library: Path) -> None:
    """Write the terms as OBO 1.2."""
    lines = [
        "format-version: 1.2",
        "data-version: sample/1",
        "ontology: smp",
        "default-namespace: medrag_sample",
        "remark: Written for the sample corpus of medrag. Not for clinical use. CC0-1.0.",
    ]
    for term in TERMS:
        lines += ["", "[Term]", *_stanza(term)]
    for relation in RELATIONS:
        lines += ["", "[Typedef]", f"id: {relation}", f"name: {relation.replace('_', ' ')}"]
    (library / "signs.obo").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def write_questions(folder: Path) -> None:
    _write_jsonl(folder / "questions.jsonl", QUESTIONS)


def write_truth(folder: Path, placed: Sequence[Placed]) -> None:
    """Write where the figures and tables of the textbook were set."""
    rows = [
        {
            "kind": each.kind,
            "number": each.number,
            "caption": each.caption,
            "page": each.page,
            "box": [round(value, 2) for value in each.box],
        }
        | ({"rows": each.rows} if each.rows else {})
        for each in placed
    ]
    _write_jsonl(folder / "textbook_truth.jsonl", rows)


def _stanza(term: Mapping[str, Any]) -> list[str]:
    lines = [f"id: {term['id']}", f"name: {term['name']}"]
    if "definition" in term:
        lines.append(f'def: "{term["definition"]}" [medrag:sample]')
    lines += [f'synonym: "{each}" EXACT []' for each in term.get("synonyms", ())]
    lines += [f"xref: {each}" for each in term.get("xrefs", ())]
    names = {each["id"]: each["name"] for each in TERMS}
    lines += [f"is_a: {each} ! {names[each]}" for each in term.get("is_a", ())]
    lines += [
        f"relationship: {relation} {target} ! {names[target]}"
        for relation, target in term.get("links", ())
    ]
    if term.get("obsolete"):
        lines.append("is_obsolete: true")
    return lines


def _write_csv(
    path: Path, names: Sequence[str], rows: Iterable[Mapping[str, str]], delimiter: str
) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, delimiter=delimiter, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8", newline="\n")
