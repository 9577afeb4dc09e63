"""How a stanza becomes bytes and bytes a stanza; used through ``bridge.wire.stanza``."""
