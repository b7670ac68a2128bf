"""Trained models beside each other: one HTML page, and tables for a paper."""

from medrag.reporting.alignment.markdown import alignment_tables
from medrag.reporting.alignment.page import alignment_page

__all__ = ["alignment_page", "alignment_tables"]
