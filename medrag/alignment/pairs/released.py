"""The preference files that MMed-RAG, RULE and MMedPO released.

Each is a JSON list of rows; pictures are files of a folder of one's own. A row is read as the
released trainers read it, with these differences: white space around answers goes (MMedPO's
rejected ones begin with a blank, by which a model could tell them), `<image>` stays where it stands
(they move it to the front), and `image_root`, which holds paths of the authors' machines, is not
read. Ids are not unique in the files: a pair's is the file's name with the number of the row, and
the row's own is its source.

Source:
    MMed-RAG (Xia et al., ICLR 2025); RULE (Xia et al., EMNLP 2024); MMedPO (Zhu et al., ICML 2025);
    their repositories.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medrag.alignment.noise import Noise
from medrag.alignment.pairs.checking import check_pair
from medrag.alignment.pairs.files import is_file
from medrag.alignment.pairs.pair import Family, Parts, PreferencePair
from medrag.errors import InputFileError
from medrag.images import within
from medrag.records import ImageRef
from medrag.shapes import ShapeError, fields_decoder, list_decoder, shown

_LOGGER = logging.getLogger(__name__)
_BROKEN = (ValueError, RecursionError)
_MARK = "<image>"
_SPEAKERS = ("human", "gpt")
_TURN = fields_decoder({"from": Literal["human", "gpt"], "value": str}, ("from", "value"))
_TURNS = list_decoder(_TURN)
_REQUIRED = ("id", "image", "conversations", "rejected_conversations")
_RULE: Mapping[str, Any] = {
    "id": str | int, "image": str, "conversations": list, "rejected_conversations": list,
}  # fmt: skip
_MMED_RAG: Mapping[str, Any] = {
    **_RULE, "image_root": str, "rejected_noised": int, "chosen_noised": int,
}  # fmt: skip
_MMEDPO: Mapping[str, Any] = {
    **_MMED_RAG, "weighted_score": float, "rejected_image": str,
}  # fmt: skip


def read_mmed_rag(
    path: Path,
    *,
    images: Path,
    domain: str | None = None,
    seed: int = 0,
    leave_out: bool = False,
) -> list[PreferencePair]:
    """Read a released RAG-PT file of MMed-RAG.

    Rows with `rejected_noised` are of the family cross_modality, and their rejected picture is
    replaced by Gaussian noise, as in the released trainer. Of the others the files do not tell
    which of the two overall families they are; they are read as use_context.

    Args:
        path: a JSON list of rows (id, image, conversations, rejected_conversations, and
            optionally image_root, rejected_noised, chosen_noised).
        images: the folder that `image` is a path in.
        domain: of all rows, such as "radiology".
        seed: of the noise.
        leave_out: leave rows that cannot be pairs out, and tell them in the log, instead of
            refusing the file.

    Raises:
        InputFileError: if the file is no such list, or a row is no pair: a key is unknown or
            missing, the two prompts differ, there is not one `<image>` in them, a picture is
            missing or lies outside of the folder, the answers are equal without noise, or
            `chosen_noised` is 1 (both sides are noise then). Names the row, from 1.
    """
    rules = _Rules(_MMED_RAG, _REQUIRED, "use_context", "cross_modality", domain, seed)
    return _read(path, images, rules, leave_out=leave_out)


def read_rule(
    path: Path, *, images: Path, domain: str | None = None, leave_out: bool = False
) -> list[PreferencePair]:
    """Read a released file of RULE: pairs against over-reliance, without noise.

    Args:
        path: a JSON list of rows (id, image, conversations, rejected_conversations).
        images, domain, leave_out: as for `read_mmed_rag`.

    Raises:
        InputFileError: as `read_mmed_rag`.
    """
    rules = _Rules(_RULE, _REQUIRED, "not_misled", "cross_modality", domain, 0)
    return _read(path, images, rules, leave_out=leave_out)


def read_mmedpo(
    path: Path,
    *,
    images: Path,
    domain: str | None = None,
    seed: int = 0,
    leave_out: bool = False,
) -> list[PreferencePair]:
    """Read a released file of MMedPO.

    `weight` is the released score as it is, from 0 to 1: bring the weights to mean 1 by
    `medrag.alignment.weighing` before training, else they are a smaller learning rate. Rows with a
    `rejected_image` are of the family lesion, those with `rejected_noised` of global_noise. Of the
    others the files do not tell whether the rejected answer was sampled or written; they are read
    as sampled.

    Args:
        path: a JSON list of rows (id, image, conversations, rejected_conversations,
            weighted_score, and optionally rejected_image, rejected_noised).
        images: the folder that `image` and `rejected_image` are paths in.
        domain, seed, leave_out: as for `read_mmed_rag`.

    Raises:
        InputFileError: as `read_mmed_rag`; also if a score is negative or no number.
    """
    required = (*_REQUIRED, "weighted_score")
    rules = _Rules(_MMEDPO, required, "sampled", "global_noise", domain, seed)
    pairs = _read(path, images, rules, leave_out=leave_out)
    if pairs:
        _LOGGER.warning(
            "%s: weights are raw scores, %.2f on average; bring them to mean 1 before training",
            path,
            sum(pair.weight for pair in pairs) / len(pairs),
        )
    return pairs


@dataclass(frozen=True, slots=True)
class _Rules:
    """How the rows of one file are read.

    Attributes:
        kinds, required: of the keys of a row.
        plain, noised: the families of rows without and with a noised picture.
    """

    kinds: Mapping[str, Any]
    required: Sequence[str]
    plain: Family
    noised: Family
    domain: str | None
    seed: int


class _BadRowError(ValueError):
    """A row is no pair."""


def _read(path: Path, images: Path, rules: _Rules, *, leave_out: bool) -> list[PreferencePair]:
    decoded = fields_decoder(rules.kinds, rules.required)
    folder = images.absolute()
    pairs: list[PreferencePair] = []
    problems: list[tuple[int, str]] = []
    for number, row in enumerate(_rows(path), start=1):
        try:
            pair = _pair(decoded(row), f"{path.stem}-{number}", folder, rules)
            check_pair(pair)
            pairs.append(pair)
        except (ValueError, InputFileError) as error:
            problems.append((number, str(error)))
    if problems and not leave_out:
        raise _refusal(path, problems)
    if problems:
        _LOGGER.warning("%s: %s", path, _told(problems))
    return pairs


def _rows(path: Path) -> list[Any]:
    try:
        rows = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise InputFileError(
            path, f"cannot be read ({error.strerror or error}); give the released file"
        ) from error
    except _BROKEN as error:
        raise InputFileError(path, f"is no JSON in UTF-8 ({error}); fetch it anew") from error
    if not isinstance(rows, list):
        raise InputFileError(path, f"expected a list of rows, found {shown(rows)}")
    return rows


def _refusal(path: Path, problems: Sequence[tuple[int, str]]) -> InputFileError:
    number, problem = problems[0]
    n = len(problems)
    more = f"; and {n - 1} more rows are no pairs" if n > 1 else ""
    return InputFileError(
        path, f"{problem}{more}; mend the file, or leave such rows out", place=f"row {number}"
    )


def _told(problems: Sequence[tuple[int, str]]) -> str:
    number, problem = problems[0]
    return f"{len(problems)} rows are no pairs and were left out; row {number}: {problem}"


def _pair(row: Mapping[str, Any], name: str, folder: Path, rules: _Rules) -> PreferencePair:
    asked, chosen = _said(row, "conversations")
    asked_too, rejected = _said(row, "rejected_conversations")
    if asked_too != asked:
        raise _BadRowError("the human asks other words on the rejected side; expected the same")
    if _flag(row, "chosen_noised"):
        raise _BadRowError(
            "chosen_noised is 1, by which both sides get noise for a picture; a pair here has the "
            "true one on its chosen side"
        )
    noised = _flag(row, "rejected_noised")
    other = row.get("rejected_image")
    if noised and other is not None:
        raise _BadRowError("has both rejected_noised and rejected_image; expected one of them")
    prompt = _prompt(asked, _picture(row["image"], folder))
    return PreferencePair(
        id=name,
        prompt=prompt,
        chosen=chosen,
        rejected=rejected,
        family="lesion" if other is not None else rules.noised if noised else rules.plain,
        rejected_prompt=None if other is None else _prompt(asked, _picture(other, folder)),
        weight=row.get("weighted_score", 1.0),
        noise=Noise("replace_gaussian", seed=rules.seed) if noised else None,
        domain=rules.domain,
        source_ids=(str(row["id"]),),
    )


def _said(row: Mapping[str, Any], name: str) -> tuple[str, str]:
    """Give what the human asks and what the model says."""
    try:
        turns = _TURNS(row[name])
    except ShapeError as error:
        raise error.inside(name) from None
    if tuple(turn["from"] for turn in turns) != _SPEAKERS:
        told = ", ".join(turn["from"] for turn in turns) or "nobody"
        raise ShapeError(f"expected one turn of human and one of gpt, found {told}", name)
    asked, said = (turn["value"] for turn in turns)
    return asked, said.strip()


def _flag(row: Mapping[str, Any], name: str) -> bool:
    value = row.get(name, 0)
    if value not in (0, 1):
        raise ShapeError(f"expected 0 or 1, found {shown(value)}", name)
    return bool(value)


def _prompt(asked: str, picture: ImageRef) -> Parts:
    """Put the picture where its mark stands."""
    pieces = asked.split(_MARK)
    if len(pieces) != 2:
        raise _BadRowError(
            f"the human's words hold {_MARK} {len(pieces) - 1} times; expected once, where the "
            "picture stands"
        )
    before, after = (piece.strip() for piece in pieces)
    return (*([before] if before else []), picture, *([after] if after else []))


def _picture(name: str, folder: Path) -> ImageRef:
    path = within(folder, name)
    if not is_file(path):
        raise _BadRowError(
            f"the picture {name!r} is not in {folder}; bring it there, or give the folder that "
            "holds it (images)"
        )
    return ImageRef(str(path))
