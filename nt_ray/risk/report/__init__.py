"""The risk report: everything that is known of the risk of a portfolio, as plain data."""
