"""Signal's protocol, version 3: X3DH, Double Ratchet, sessions, safety numbers.

Pure: time and randomness are arguments, state is a frozen value, and an error
leaves every value as it was (docs/differences.md says where we differ from the
published specifications, and why).
"""
