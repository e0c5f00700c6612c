"""Who may do what: identities, roles, tokens, keys, limits of use, and the record of it all."""
