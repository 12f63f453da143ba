"""The files that are the API of local mode: read, checked, watched; and values that Secrets keep elsewhere."""
