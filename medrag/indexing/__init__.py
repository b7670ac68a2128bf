"""Passages and their channels on disk, and searching them."""
