"""Rankings in a better order: what was found cheaply is looked at again."""
