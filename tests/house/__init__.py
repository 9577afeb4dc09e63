"""The rules of the house, read from its source: what may import what, how big, in whose words."""
