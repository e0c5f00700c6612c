"""Synthetic return paths: a generative adversarial network, simpler rivals, and the facts both are judged by."""
