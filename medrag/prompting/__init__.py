"""Questions and hits to prompts; text to citations."""
