"""Passages and questions to vectors."""
