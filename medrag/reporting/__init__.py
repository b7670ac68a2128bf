"""Pages that a person looks at: answers with their evidence, as one HTML file."""

from medrag.reporting.page import answer_page

__all__ = ["answer_page"]
