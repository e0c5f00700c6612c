"""Neural Trader on Ray: the domain itself, free of Ray and of web frameworks."""
