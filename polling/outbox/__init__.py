"""Calls that are owed: their rows, contents, signatures and retries."""
