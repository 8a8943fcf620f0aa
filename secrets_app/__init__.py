"""Secrets: encrypted values, who may use them, and what was used when."""
