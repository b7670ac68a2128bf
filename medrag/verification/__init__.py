"""Claims and evidence to support."""
