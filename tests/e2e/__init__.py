"""Tests of whole processes: what a user would see."""
