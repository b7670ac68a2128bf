"""Read YAML that others wrote: plain values only, no key twice, nothing that grows when read.

Only null, truth values, numbers, texts, lists and mappings are read. Aliases are refused, since a
few hundred bytes of them can expand to gigabytes; so are tags, since some name code.
"""

from pathlib import Path
from typing import Any

import yaml

from medrag.config.place import Place, shown
from medrag.errors import RecipeError

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20

_TIMESTAMP = "tag:yaml.org,2002:timestamp"


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file whose top level is a mapping.

    Raises:
        RecipeError: if the file cannot be read, is larger than 256 KiB, or breaks a rule above.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror or error})") from error
    if len(content) > MAX_BYTES:
        raise RecipeError(f"{path}: larger than {MAX_BYTES // 1024} KiB, which no recipe needs")
    return parse_mapping(content, file=str(path))


def parse_mapping(content: bytes | str, *, file: str) -> dict[str, Any]:
    """Read YAML text whose top level is a mapping; `file` names it in errors.

    Raises:
        RecipeError: if the text breaks a rule of the module's docstring.
    """
    place = Place(file)
    try:
        # A child of SafeLoader: it builds plain values only.
        value = yaml.load(content, Loader=_PlainLoader)  # noqa: S506
    except yaml.YAMLError as error:
        raise place.error(_problem(error)) from error
    except (ValueError, OverflowError) as error:
        raise place.error(f"not YAML that can be read ({error})") from error
    if not isinstance(value, dict):
        raise place.error(f"expected a mapping of keys to values, got {shown(value)}")
    check_keys(value, place)
    return value


def check_keys(value: Any, place: Place) -> None:
    """Refuse keys that are not texts, at any depth."""
    if isinstance(value, dict):
        for key, child in value.items():
            if not isinstance(key, str):
                raise place.error(f"the key {shown(key)} is not a text; put it in quotes")
            check_keys(child, place.at(key))
    elif isinstance(value, list):
        for position, child in enumerate(value):
            check_keys(child, place.at(position))


class _PlainLoader(yaml.SafeLoader):
    """SafeLoader without aliases, tags, merges, dates, repeated keys and deep nesting."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the name and type are PyYAML's
        first: [pair for pair in pairs if pair[0] != _TIMESTAMP]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _refused("an alias (*name), which is not read: write the value out", event)
        if getattr(event, "tag", None) is not None:
            raise _refused(f"the tag {event.tag}, which is not read: write a plain value", event)
        if self._depth >= MAX_DEPTH:
            raise _refused(f"more than {MAX_DEPTH} levels of nesting", event)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _refused("a key that is not a text", key)
            if key.tag == "tag:yaml.org,2002:merge":
                raise _refused("a merge (<<), which is not read: write the keys out", key)
            if (key.tag, key.value) in seen:
                raise _refused(f"the key {key.value!r} twice", key)
            seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


def _refused(what: str, at: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=f"found {what}", problem_mark=at.start_mark)


def _problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).replace("\n", " ")
    return f"line {mark.line + 1}: {problem}" if mark else problem
