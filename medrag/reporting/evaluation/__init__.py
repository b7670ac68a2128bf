"""Scores that a person looks at: one HTML page for a run, one table for a paper."""

from medrag.reporting.evaluation.markdown import markdown_table
from medrag.reporting.evaluation.page import evaluation_page

__all__ = ["evaluation_page", "markdown_table"]
