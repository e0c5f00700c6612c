"""What the gateway tells of itself: metrics, logs, traces and health."""
