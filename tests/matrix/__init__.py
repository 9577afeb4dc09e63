"""Tests of the Matrix edge: the endpoint over loopback, the port against a real Synapse."""
