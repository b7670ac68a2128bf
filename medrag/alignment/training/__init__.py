"""Tuning a model of pictures and texts: by references, by preferences, by rewards."""
