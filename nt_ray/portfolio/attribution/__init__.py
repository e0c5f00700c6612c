"""Attribution: where a return came from, in parts that sum to it."""
