"""Arrays and tables in, numbers out: predictions, metrics, intervals, tests."""
