"""Changes of a whole installation under load, in a network of its own: what clients notice of them."""
