"""Rankings to the few hits worth reading."""
