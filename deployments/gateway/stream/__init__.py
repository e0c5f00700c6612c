"""The stream of the platform over WebSockets."""
