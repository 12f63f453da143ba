"""Tests of the stand-ins, clients and builders in tests/support."""
