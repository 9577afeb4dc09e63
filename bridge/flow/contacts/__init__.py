"""Contacts of an account: who they are, their session, ghost and portal."""
