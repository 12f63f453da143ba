"""Native admission policies: what the API server evaluates by itself."""
