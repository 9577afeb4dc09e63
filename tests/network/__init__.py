"""The network's edge, over real sockets on this machine."""
