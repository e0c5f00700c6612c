"""Programs that run other engines on the same task; each is started with the interpreter of its own environment."""
