"""The binary form of stanzas; used through ``bridge.wire.stanza``."""
