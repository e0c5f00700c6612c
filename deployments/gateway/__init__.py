"""The gateway: every door of the platform behind one authentication, on Ray Serve."""
