"""From texts to the batches of a model, whole: nothing of a text is cut off."""
