"""Settings by cross-validation."""
