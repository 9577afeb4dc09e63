"""What the bridge serves over HTTP, over real sockets on this machine."""
