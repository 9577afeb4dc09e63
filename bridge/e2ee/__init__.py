"""Signal's protocol, version 3: X3DH, Double Ratchet, sessions, safety numbers.

Pure functions: time and randomness are arguments, state is a frozen value, and an
error changes nothing. docs/differences.md lists the differences from the published
specifications and their reasons.
"""
