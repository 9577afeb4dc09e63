"""The wiring: every part is built from a config, started, run until a signal, and stopped in order.

``bridge.app.bridge`` runs it all.
"""
