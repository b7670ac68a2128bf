"""Answers as pages that a person reads."""
