"""Tests of one module at a time, without a process or the network beyond this machine."""
