"""Questions to rankings."""
