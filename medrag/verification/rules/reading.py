"""Files of rules.

    name: bone marrow aspirate
    language: en                          # of the answers; English without
    steps:                                # in the order in which they are asked
      quality:
        adequate: [good, sufficient]      # an answer, and other words that say it
        inadequate: [poor, insufficient]
      findings:
        asks: [abnormality, what is seen] # words of a question that asks for it
        several: true                     # an answer may name more than one
        answers: {blasts: [blast cells], normal: []}
    rules:
      nothing is diagnosed from a poor smear:
        if: {quality: inadequate}         # all of these
        unless: {findings: blasts}        # none of these
        implies: {diagnosis: none}        # one of these
        excludes: {findings: [blasts]}    # none of these

Only plain values are read: no tags, no aliases, no key twice.
"""

from collections import Counter
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, Never

import yaml

from medrag.errors import RecipeError
from medrag.verification.rules.book import Conditions, Rule, RuleBook, Step

_MAX_BYTES = 256 * 1024
_TOP = ("name", "language", "source", "steps", "rules")
_RULE = ("if", "unless", "implies", "excludes")


def read_rules(path: str | Path) -> RuleBook:
    """Read a file of rules.

    Raises:
        RecipeError: if it cannot be read, or says something that makes no sense; names the file
            and the place in it.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror or error})") from error
    if len(content) > _MAX_BYTES:
        raise RecipeError(f"{path}: larger than {_MAX_BYTES // 1024} KiB, which no rules need")
    return rules_from(content, file=str(path))


def shipped_rules(name: str) -> RuleBook:
    """Read rules that come with the package: "bone_marrow" or "chest_xray".

    Raises:
        ValueError: if there are none of that name.
    """
    folder = files("medrag.verification.rules")
    known = sorted(each.name[:-5] for each in folder.iterdir() if each.name.endswith(".yaml"))
    if name not in known:
        raise ValueError(f"no rules {name!r} come with the package; there are {', '.join(known)}")
    return rules_from((folder / f"{name}.yaml").read_bytes(), file=f"{name}.yaml")


def rules_from(content: bytes | str, *, file: str) -> RuleBook:
    """Read rules from YAML; `file` names it in errors.

    Raises:
        RecipeError: as `read_rules`.
    """
    value = _mapping(_plain(content, file), file)
    _keys(value, _TOP, file)
    steps = [_step(str(name), each, f"{file}, steps.{name}")
             for name, each in _mapping(value.get("steps"), f"{file}, steps").items()]  # fmt: skip
    rules = [_rule(str(name), each, f"{file}, rules.{name}")
             for name, each in _mapping(value.get("rules"), f"{file}, rules").items()]  # fmt: skip
    name, language = value.get("name", Path(file).stem), value.get("language", "en")
    if not isinstance(name, str) or not isinstance(language, str):
        _refuse(file, "name and language must be texts")
    try:
        return RuleBook(name=name, steps=steps, rules=rules, language=language)
    except ValueError as error:
        raise RecipeError(f"{file}: {error}") from error


def _plain(content: bytes | str, file: str) -> Any:
    """Read YAML of plain values alone."""
    try:
        for token in yaml.scan(content):
            if isinstance(token, yaml.AliasToken | yaml.AnchorToken | yaml.TagToken):
                _refuse(file, f"line {token.start_mark.line + 1} has an alias or a tag")
        root = yaml.compose(content, Loader=yaml.SafeLoader)
        _check_nodes(root, file)
        # Every value as the text that it is written as: "no" is a word here, and not a truth value.
        return yaml.load(content, Loader=yaml.BaseLoader)  # noqa: S506 - builds texts only
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RecipeError(f"{file}: not YAML that can be read ({error})") from error


def _check_nodes(root: Any, file: str) -> None:
    """Refuse a key that is given twice."""
    nodes = [root] if root is not None else []
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            if len(keys) < len(node.value):
                _refuse(file, f"line {node.start_mark.line + 1}: a key must be a text")
            if twice := [key for key, n in Counter(keys).items() if n > 1]:
                _refuse(file, f"line {node.start_mark.line + 1}: {twice[0]!r} stands there twice")
            nodes += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value


def _step(name: str, value: Any, place: str) -> Step:
    several = False
    asks: tuple[str, ...] = ()
    given = _mapping(value, place)
    if "answers" in given:
        _keys(given, ("answers", "several", "asks"), place)
        asks = _texts(given.get("asks", ""), f"{place}.asks")
        if given.get("several", "false") not in ("true", "false"):
            _refuse(place, f"several must be true or false, got {given['several']!r}")
        several = given.get("several") == "true"
        given = _mapping(given["answers"], f"{place}.answers")
    answers = {str(key): _texts(phrases, f"{place}.{key}") for key, phrases in given.items()}
    if len(answers) < 2:
        _refuse(place, "a step needs two answers at least")
    owner: dict[str, str] = {}
    for answer, phrases in answers.items():
        for phrase in (answer, *phrases):
            said = " ".join(phrase.casefold().split())
            if not any(char.isalnum() for char in said):
                _refuse(f"{place}.{answer}", f"{phrase!r} holds no word")
            if owner.setdefault(said, answer) != answer:
                _refuse(place, f"{phrase!r} says both {owner[said]!r} and {answer!r}")
    return Step(name, answers, several, asks)


def _rule(name: str, value: Any, place: str) -> Rule:
    given = _mapping(value, place)
    _keys(given, _RULE, place)
    if "if" not in given or not ("implies" in given or "excludes" in given):
        _refuse(place, "a rule needs an if, and an implies or an excludes")
    when, unless, implies, excludes = (_conditions(given, key, place) for key in _RULE)
    return Rule(name, when, unless, implies, excludes)


def _conditions(given: Mapping[str, Any], key: str, place: str) -> Conditions:
    if key not in given:
        return {}
    place = f"{place}.{key}"
    conditions = _mapping(given[key], place)
    return {step: frozenset(_texts(names, f"{place}.{step}")) for step, names in conditions.items()}


def _mapping(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        _refuse(place, f"expected keys with values, got {value!r:.60}")
    return value


def _texts(value: Any, place: str) -> tuple[str, ...]:
    """Read one text or a list of texts; none for an empty value."""
    if value == "":
        return ()
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) and each.strip() for each in listed):
        _refuse(place, f"expected a text or a list of texts, got {value!r:.60}")
    return tuple(listed)


def _keys(value: Mapping[str, Any], known: tuple[str, ...], place: str) -> None:
    for key in value:
        if key not in known:
            near = get_close_matches(key, known, 1)
            meant = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
            _refuse(place, f"unknown key {key!r}{meant}")


def _refuse(place: str, problem: str) -> Never:
    raise RecipeError(f"{place}: {problem}")
