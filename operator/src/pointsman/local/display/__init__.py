"""What a person reads: lines of `up`, the tables of `get`, the words of `explain`."""
