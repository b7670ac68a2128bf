"""MaxSim over packed vectors: estimates with proved errors, exact scores, quick first passes."""
