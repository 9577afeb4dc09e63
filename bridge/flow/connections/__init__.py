"""One connection for each account: opened when wanted, kept while useful."""
