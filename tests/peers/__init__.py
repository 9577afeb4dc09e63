"""Foreign programs that the tests talk to, installed from their registries into folders of ours."""
