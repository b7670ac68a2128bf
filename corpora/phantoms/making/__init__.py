"""What writes the phantoms, and the tiny model that reads them."""
