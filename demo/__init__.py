"""A conversation through every real part, on this machine."""
