"""What models are told while a question is retrieved for: texts in YAML files beside the modules.

A file holds a name, a version and texts by name; a word in braces is a placeholder. Raise the
version with every change: rankings are only comparable under one version.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import yaml

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Wording:
    """Texts of one purpose; `label` names them with their version, as in "router/1"."""

    label: str
    texts: Mapping[str, str]


@lru_cache(maxsize=16)
def wording(package: str, name: str) -> Wording:
    """Read the texts `name` of a package of medrag.

    Raises:
        FileNotFoundError: if the package ships no such file.
    """
    content = (files(package) / f"{name}.yaml").read_text(encoding="utf-8")
    texts = yaml.safe_load(content)
    label = f"{texts.pop('name')}/{texts.pop('version')}"
    return Wording(label, {key: str(text).strip() for key, text in texts.items()})


def filled(text: str, values: Mapping[str, object]) -> str:
    """Put values in the place of placeholders, at once: braces within a value stay as they are.

    Raises:
        KeyError: if a placeholder has no value.
    """
    return _PLACEHOLDER.sub(lambda found: str(values[found.group(1)]), text)
