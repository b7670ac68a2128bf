"""Tuning of models and retrievers to make good use of context, with the controls that show it."""
