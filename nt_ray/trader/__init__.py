"""The trader: accounts, routing, sessions and the facade over them."""
