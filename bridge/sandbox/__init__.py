"""A gatekeeper to talk to: the network's side of the wire, for tests, demos and practice.

It speaks the same wire as the bridge (``bridge.wire``) and holds simulated people of three
services with keys of their own (``bridge.e2ee``). It is not WhatsApp, and everything under its
profile is labelled SANDBOX.

Rules (``registry``, ``enlistment``, ``login``, ``chat``, ``mailbox``, ``directory``, ``people`` ...) are
plain functions over a plain ``State``: input and time go in, outputs come out; they open no
socket, read no clock and draw no randomness of their own. Edges (``server``, ``web``, ``control``, ``main``)
carry the outputs out. Traffic crosses as bytes: stanzas of people are encoded and decoded as well.

What is kept: keys, ports and the control token, in the folder it was given; a restart keeps the
profile. What is forgotten by a restart: everything else, accounts, mailboxes, people and faults.
"""
