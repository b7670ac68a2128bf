"""Prompts, and the templates that they are written by."""

from medrag.language import fenced
from medrag.prompting.templates.loading import (
    Template,
    digest,
    digests,
    label,
    load_template,
    shipped,
)
from medrag.prompting.templates.writing import (
    Extent,
    build_prompt,
    full_extent,
    letter,
    n_images_of,
    sentence_ends,
    source_line,
    template_for,
    written,
)

__all__ = [
    "Extent",
    "Template",
    "build_prompt",
    "digest",
    "digests",
    "fenced",
    "full_extent",
    "label",
    "letter",
    "load_template",
    "n_images_of",
    "sentence_ends",
    "shipped",
    "source_line",
    "template_for",
    "written",
]
