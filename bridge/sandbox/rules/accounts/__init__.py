"""Partners and accounts: enlistment, login, identity tokens, wake-ups."""
