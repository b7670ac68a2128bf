"""Questions about terms and facts, generated from a seed: templates, variations, gold passages."""
