"""The codec of a public JavaScript client (npm package baileys, exactly pinned)."""
