"""The durable journal."""
