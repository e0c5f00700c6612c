"""A simulator of Alpaca: the same HTTP and WebSocket protocol on loopback, a book of its own, faults on demand."""
