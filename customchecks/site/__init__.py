"""Custom checks in the admin."""
