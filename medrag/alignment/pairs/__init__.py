"""Preference pairs: mined from answers, read from published files, written to JSON lines."""
