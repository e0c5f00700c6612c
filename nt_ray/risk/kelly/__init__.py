"""Kelly: stakes and weights of the fastest growth, their drawdown laws, and what their proof of optimality is."""
