"""The files that are the API of local mode: read, checked, watched; and Secrets' values from elsewhere."""
