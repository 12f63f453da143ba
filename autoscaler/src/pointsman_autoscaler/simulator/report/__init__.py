"""What simulations showed: as a table for a terminal, as JSON, and as one HTML page that needs no network."""
