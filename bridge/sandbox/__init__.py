"""A gatekeeper to talk to: the network's side of the wire, for tests, demos and practice.

It speaks the same wire as the bridge (``bridge.wire``) and holds simulated people of three
services with keys of their own (``bridge.e2ee``). It is not WhatsApp, and everything under its
profile is labelled SANDBOX.

Lowest first:

    rules/        plain functions over a plain ``State``: input and time go in, outputs come out
    people/       simulated people, each a client of the network
    gatekeeper    the one door to all rules
    connections   frames and Noise of every connection, without a socket
    edges/        sockets, HTTP and the folder: they carry the outputs out
    control/      the HTTP API through which tests and demos make things happen
    main          starts all of it

All below ``edges`` opens no socket, reads no clock and draws no randomness of its own. Traffic crosses
as bytes: stanzas of people are encoded and decoded as well.

What is kept: keys, ports and the control token, in the folder it was given; a restart keeps the
profile. What is forgotten by a restart: everything else, accounts, mailboxes, people and faults.
"""
