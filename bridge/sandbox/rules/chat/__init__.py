"""What members send: stanzas, queries, delivery, mailboxes, prekeys, reachability."""
