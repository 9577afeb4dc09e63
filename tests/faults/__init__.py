"""Real processes killed and real faults, against the one sanctioned fake homeserver."""
