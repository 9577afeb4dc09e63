"""Simulated people: clients of the network with keys, sessions and a history of their own."""
