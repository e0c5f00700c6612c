"""The simulated exchange: compiled matching rules and a durable book of its own."""
