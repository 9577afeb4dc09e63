"""The network's wire, without I/O: frames, Noise, stanzas, and what they mean.

``connection`` turns bytes into events and events into bytes; ``vocabulary`` gives
each stanza in use a type; ``payload`` is the plaintext inside a message. Nothing
here reads a clock, draws randomness or opens a socket: all of it comes as arguments.
"""
