"""A build and an index as tables and as JSON."""

import os
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from medrag.cli.output import line, number, table
from medrag.codec import Json

if TYPE_CHECKING:
    from medrag.build import BuildReport
    from medrag.records import Skipped

# So many single files are named below a table of counts.
_NAMED = 20
_WIDTH = 100


def build_json(report: "BuildReport") -> Json:
    """Every count of the report, and a row for each file that failed or is not read."""
    return {
        "folder": str(report.folder),
        "added": report.added,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "failed": [
            {"corpus": f.corpus, "document": f.document, "kind": f.kind, "problem": f.problem}
            for f in report.failed
        ],
        "n_passages": report.n_passages,
        "passages": dict(report.passages),
        "pages": report.pages,
        "skipped": dict(left_out(report)),
        "unreadable": report.unreadable,
        "lost": [
            {"corpus": f.corpus, "document": f.document, "detail": detail}
            for f in report.files
            for detail in f.lost
        ],
        "unknown": [
            {"corpus": s.source.corpus, "document": s.source.document, "reason": s.reason,
             "detail": s.detail, "failed": s.failed}
            for s in report.unknown
        ],
        "missing": [list(each) for each in report.missing],
        "encoded": dict(report.encoded),
        "stores": dict(report.stores),
        "mended": list(report.mended),
        "seconds": report.seconds,
    }  # fmt: skip


def build_table(report: "BuildReport") -> str:
    """Say what was indexed, what was left out and why, and what failed."""
    from medrag.ingestion.reasons import REASONS

    files = [
        ("added", report.added), ("changed", report.changed), ("unchanged", report.unchanged),
        ("failed", len(report.failed)), ("not read", len(report.unknown)),
    ]  # fmt: skip
    pages = f", {number(report.pages, 'page')}" if report.pages else ""
    none = not report.files and not report.unchanged
    found = "; none of the sources is a file that medrag reads" if none else ""
    lines = [
        f"{report.folder}: {number(report.n_passages, 'passage')} in {report.seconds:.1f} s{found}",
        table([("files", counts(dict(files)))], indent="  "),
        table([("new   ", (counts(report.passages) or "no passages") + pages)], indent="  "),
    ]
    if any(report.encoded.values()):
        lines.append(table([("channels", f"encoded {counts(report.encoded)}")], indent="  "))
    lines += [f"  {each}" for each in searched_lines(report)]
    reasons = left_out(report)
    if reasons:
        lines.append("  left out or read in part:")
        rows = [(str(n), code, REASONS.get(code, "")) for code, n in reasons.most_common()]
        lines.append(table(rows, indent="    "))
    lines += _named(report)
    if report.missing:
        done = "removed" if report.pruned else "kept (see --prune)"
        lines.append(f"  no longer given: {number(len(report.missing), 'file')} {done}")
    return "\n".join(lines)


def searched_lines(report: "BuildReport") -> list[str]:
    """Say which channels are searched elsewhere now, and what was made anew."""
    lines = [f"{name} is now searched by {how}" for name, how in report.stores.items()]
    if report.mended:
        names = ", ".join(report.mended)
        lines.append(f"what is derived for {names} was missing or damaged, and is made anew")
    return lines


def lost_lines(report: "BuildReport") -> list[str]:
    """Name what could not be read in files that were read otherwise, so many at most."""
    told = [f"{f.corpus}: {f.document}, {detail}" for f in report.files for detail in f.lost]
    more = report.unreadable - len(told[:_NAMED])
    return told[:_NAMED] + ([f"{more} more places"] if more > 0 and told else [])


def counts(numbers: Mapping[str, int]) -> str:
    """Join counts, those of 0 left out."""
    return ", ".join(f"{n} {name}" for name, n in numbers.items() if n)


def left_out(report: "BuildReport") -> Counter[str]:
    """Count by reason what is not in the index, whole files included."""
    return Counter(dict(report.skipped)) + Counter(each.reason for each in report.unknown)


def _named(report: "BuildReport") -> list[str]:
    """Name the files of no known type; those left out for a plain reason are only counted."""
    unknown = [each for each in report.unknown if each.reason == "unknown_type" or each.failed]
    rows = [row for each in unknown[:_NAMED] for row in _wrapped(each)]
    lines = [table(rows, indent="    ")] if rows else []
    if len(unknown) > _NAMED:
        lines.append(f"    and {len(unknown) - _NAMED} more (--json lists all)")
    return ["  files that were not read:", *lines] if lines else []


def _wrapped(skipped: "Skipped") -> Iterator[tuple[str, str]]:
    """Lay out why a file was not read, whole: the way out stands at its end."""
    parts = textwrap.wrap(line(skipped.detail), _WIDTH) or [""]
    yield from zip(chain([skipped.source.document], repeat("")), parts, strict=False)


def info_table(info: Mapping[str, Any]) -> str:
    """Say what an index holds: passages, channels, corpora, and what is not in it."""
    rows = [
        ("folder", info["folder"]),
        ("passages", f"{info['n_passages']} ({counts(info['passages'])})"),
        ("documents", str(info["n_documents"])),
        ("size", f"{info['bytes'] / 1e6:.1f} MB in {number(info['n_segments'], 'segment')}"),
    ]
    lines = [table(rows), "channels"]
    lines.append(table([_channel_row(*each) for each in info["channels"].items()], indent="  "))
    lines.append("corpora")
    corpora = [_corpus_row(info["folder"], *each) for each in info["corpora"].items()]
    lines.append(table(corpora, indent="  "))
    if info["skipped"]:
        lines.append(f"left out  {counts(info['skipped'])}")
    if info["unknown"]:
        lines.append(f"not read  {number(len(info['unknown']), 'file')}")
    lines += [f"failed    {each['corpus']}/{each['document']}" for each in info["failures"]]
    lines += [f"damaged   {name}: {problem}" for name, problem in info["damaged"].items()]
    return "\n".join(lines)


def _channel_row(name: str, channel: Mapping[str, Any]) -> tuple[str, str, str]:
    n, derived = channel.get("n_passages"), channel.get("derived_bytes")
    parts = [
        "" if n is None else number(n, "passage"),
        f"searched by {channel['store']}" if "store" in channel else "",
        f"{derived / 1e6:.1f} MB derived" if derived else "",
    ]
    return name, channel["kind"], ", ".join(part for part in parts if part)


def _corpus_row(folder: str, name: str, corpus: Mapping[str, Any]) -> tuple[str, str, str]:
    held = f"{number(corpus['n_documents'], 'document')}, {number(corpus['n_passages'], 'passage')}"
    lost = "" if corpus["root_exists"] else ", not there: medrag index move"
    # The manifest may hold it relative to the index.
    root = os.path.abspath(os.path.join(folder, corpus["root"]))  # noqa: PTH100, PTH118
    return name, held, f"{root}{lost}"
