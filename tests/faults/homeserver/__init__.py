"""The one sanctioned fake homeserver: small, with the quirks of a real one (faults F14-F23).

``python -m tests.faults.homeserver --registration FILE ...`` runs it as a process; ``control`` steers it.
"""
