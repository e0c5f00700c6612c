"""Orders and their states, positions, the double-entry ledger, the vocabulary of the journal."""
