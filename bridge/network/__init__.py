"""The network's edge: what the flows may ask of it, and how our wire answers.

``connector`` is the protocol a network implements; ``interop`` is the one of the published framework.
"""
