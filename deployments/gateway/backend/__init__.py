"""What the routes may ask of the platform: one Protocol a concern, answered by Ray actors."""
