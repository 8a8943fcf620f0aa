"""``/api/custom-checks``."""
