"""Tests of Pointsman, by level; `support` is what they stand on."""
