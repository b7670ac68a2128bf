"""Files to passages, each with where it comes from."""
