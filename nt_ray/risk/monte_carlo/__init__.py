"""Monte Carlo: scenarios of asset returns from counted random words, and tails of portfolios on them.

Every number is a function of (seed, scenario, asset, period) alone, and every operation works on one scenario at a
time in a fixed order. So results have the same bits for any number of threads, blocks, portfolios and workers.
"""
