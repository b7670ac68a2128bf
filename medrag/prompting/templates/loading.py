"""Templates: what a prompt says beside question and evidence, as files with a name and a version.

A template is a YAML file of texts. Those that come with medrag lie beside this module; one of your
own is named by its path. Raise its version with every change: answers are only comparable under
one version.

    name: mine
    version: 1
    role: who the model is; nothing of the question, so that questions on equal evidence begin alike
    evidence: what stands before the evidence
    no_evidence: what stands in its place where there is none
    other_patient: the warning where some of it is about other patients
    question: |-
      {history}
      {regions}
      Question: {question}
      {options}
    answer: what form the answer takes, or one text each for {open: ..., yes_no: ...}
    answer_without_evidence: the same, where there is no evidence
    picture: optional, what stands before a picture of the question, "Picture {number}:"
    current_picture: optional, the same before the last of several; may hold {date}
    no_text: optional, what is asked where the question has no words
    example: optional, what cases and reports of other patients are called, which then come as
      worked examples: their pictures, the question with its options, the answer
    earlier_image: optional, what the first picture of an example of two is called
    current_image: optional, what the second one is called

A word in braces is a placeholder, and a line that is one and has nothing to say is left out.
"""

import difflib
import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from medrag.errors import RecipeError

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
FORMS = ("open", "yes_no")
_MOST_BYTES = 64 * 1024
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
# Without these in the text of the question something that was asked would not reach the model.
_NEEDED = ("question", "options", "history", "regions")
_MAY_HOLD: Mapping[str, tuple[str, ...]] = {
    "question": (*_NEEDED, "step", "meaning"),
    "picture": ("number", "date"),
    "current_picture": ("number", "date"),
}


@dataclass(frozen=True, slots=True)
class Template:
    """The texts of one template; see the docstring of the module.

    `answer` and `answer_without_evidence` give the form of the answer by the form of the question,
    which is one of `FORMS`.
    """

    name: str
    version: int
    role: str
    evidence: str
    no_evidence: str
    other_patient: str
    question: str
    answer: Mapping[str, str]
    answer_without_evidence: Mapping[str, str]
    picture: str = "Picture {number} of the question:"
    current_picture: str = ""
    no_text: str = "Describe the picture."
    example: str = ""
    earlier_image: str = ""
    current_image: str = ""


_PARTS = tuple(each.name for each in fields(Template))
_OPTIONAL = (
    "picture", "current_picture", "no_text", "example", "earlier_image", "current_image",
)  # fmt: skip
_BY_FORM = ("answer", "answer_without_evidence")


def load_template(template: str) -> Template:
    """Read a template by its name, or one's own by the path of its file.

    Args:
        template: a name such as "vqa"; what ends in .yaml or .yml, or holds a slash, is a path.

    Raises:
        RecipeError: if there is no such template, or its file breaks a rule; it names both.
    """
    if template.endswith((".yaml", ".yml")) or "/" in template or "\\" in template:
        return _of_user(Path(template))
    if template not in shipped():
        raise RecipeError(_unknown("template", template, shipped()) + "; or give a path to a .yaml")
    return _of_package(template)


def label(template: Template) -> str:
    """Name a template with its version, as in "vqa/2"."""
    return f"{template.name}/{template.version}"


@lru_cache(maxsize=1)
def shipped() -> tuple[str, ...]:
    """List the names of the templates that come with medrag."""
    found = (each.name for each in files(__package__).iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in found if name.endswith(".yaml")))


def digest(template: str) -> str:
    """Give the SHA-256 of the file of a template, by its name or path.

    Raises:
        RecipeError: as `load_template` does.
    """
    load_template(template)
    content = _content(template) if template in shipped() else Path(template).read_bytes()
    return hashlib.sha256(content).hexdigest()


def digests() -> dict[str, str]:
    """Give the digest of each shipped template, by name and version."""
    return {label(load_template(name)): digest(name) for name in shipped()}


def _content(name: str) -> bytes:
    return (files(__package__) / f"{name}.yaml").read_bytes()


@lru_cache(maxsize=64)
def _of_package(name: str) -> Template:
    return read_template(_content(name), file=f"{name}.yaml of medrag")


def _of_user(path: Path) -> Template:
    try:
        state = path.stat()
        return _read(path, state.st_mtime_ns, state.st_size)
    except OSError as error:
        raise RecipeError(
            f"template {path}: cannot be read ({error.strerror or error}); name a file that is "
            f"there, or one of: {', '.join(shipped())}"
        ) from error


@lru_cache(maxsize=64)
def _read(path: Path, changed: int, size: int) -> Template:  # noqa: ARG001 - a change is read anew
    if not path.is_file():
        raise RecipeError(f"template {path}: is no file that can be read")
    # Bounded here as well: a file of the system may have no end, and tells no size.
    with path.open("rb") as stream:
        content = stream.read(_MOST_BYTES + 1)
    if max(size, len(content)) > _MOST_BYTES:
        raise RecipeError(f"template {path}: larger than {_MOST_BYTES // 1024} KiB")
    template = read_template(content, file=str(path))
    if template.name in shipped():
        raise RecipeError(
            f"template {path}: {template.name!r} is the name of a template of medrag; give yours "
            "another, so that answers can be told apart"
        )
    return template


def read_template(content: bytes, *, file: str) -> Template:
    """Read the content of a template's file; `file` names it in errors.

    Raises:
        RecipeError: if it is no YAML of texts, lacks a part, or holds one or a placeholder that is
            not known.
    """
    parts = _mapping(content, file)
    for part in parts:
        if part not in _PARTS:
            raise RecipeError(f"template {file}: {_unknown('part', part, _PARTS)}")
    missing = [part for part in _PARTS if part not in parts and part not in _OPTIONAL]
    if missing:
        raise RecipeError(f"template {file}: lacks {', '.join(missing)}")
    name, version = parts.pop("name"), parts.pop("version")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise RecipeError(
            f"template {file}, name: expected small letters, digits, - and _, got {name!r}"
        )
    if type(version) is not int or version < 1:
        raise RecipeError(
            f"template {file}, version: expected a whole number from 1, got {version!r}"
        )
    read = {
        part: _forms(value, part, file) if part in _BY_FORM else _text(value, part, file)
        for part, value in parts.items()
    }
    _check_question(str(read["question"]), file)
    return Template(name, version, **read)  # type: ignore[arg-type]  # by name, checked above


def _mapping(content: bytes, file: str) -> dict[str, Any]:
    try:
        text = content.decode("utf-8-sig")
        # An alias within an alias within ... is a small file and a huge value.
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise RecipeError(f"template {file}: holds an alias (*name); write the text out")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        keys = [key.value for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RecipeError(f"template {file}: not YAML that can be read ({error})") from error
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise RecipeError(f"template {file}: expected a mapping of parts to texts")
    twice = sorted(str(key) for key, n in Counter(map(str, keys)).items() if n > 1)
    if twice:
        raise RecipeError(f"template {file}: {', '.join(twice)} stands there twice")
    return value


def _text(value: Any, part: str, file: str) -> str:
    if not isinstance(value, str) or not value.strip():
        hint = "" if isinstance(value, str) else " in quotes or after |-"
        raise RecipeError(f"template {file}, {part}: expected a text{hint}, got {value!r:.80}")
    allowed = _MAY_HOLD.get(part.partition(".")[0], ())
    for name in PLACEHOLDER.findall(value):
        if name not in allowed:
            known = f"known are {', '.join(allowed)}" if allowed else "it may hold none"
            raise RecipeError(f"template {file}, {part}: unknown placeholder {{{name}}}; {known}")
    return value.strip()


def _forms(value: Any, part: str, file: str) -> Mapping[str, str]:
    """Read one text for all forms, or a text for each."""
    if not isinstance(value, dict):
        return MappingProxyType(dict.fromkeys(FORMS, _text(value, part, file)))
    if set(value) != set(FORMS):
        raise RecipeError(
            f"template {file}, {part}: expected a text, or one each for {' and '.join(FORMS)}; "
            f"got {', '.join(map(str, value)) or 'none'}"
        )
    return MappingProxyType({form: _text(value[form], f"{part}.{form}", file) for form in FORMS})


def _check_question(text: str, file: str) -> None:
    held = PLACEHOLDER.findall(text)
    for name in _NEEDED:
        if held.count(name) != 1:
            raise RecipeError(
                f"template {file}, question: must hold {{{name}}} once, holds it "
                f"{held.count(name)} times"
            )


def _unknown(what: str, name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"unknown {what} {name!r}; known are {', '.join(known)}{hint}"
