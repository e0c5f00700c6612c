"""The pre-trade gate and risk measures."""
