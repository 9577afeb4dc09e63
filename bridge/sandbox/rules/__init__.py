"""The network's rules over plain state: no I/O, no clock, no randomness of their own."""
