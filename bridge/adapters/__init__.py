"""The real forms of the ports: clock, randomness, TCP connections, HTTP calls."""
