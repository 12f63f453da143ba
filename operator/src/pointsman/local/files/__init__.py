"""The files that are the API of local mode: read, checked, watched; also values that Secrets keep elsewhere."""
