"""Scripts that run inside Envoy, read as data."""
