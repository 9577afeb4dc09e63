"""The official libsignal as the other end of a conversation."""
