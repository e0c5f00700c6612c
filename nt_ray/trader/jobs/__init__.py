"""Jobs: work that outlives the call that asked for it, with its progress, its result and its end."""
