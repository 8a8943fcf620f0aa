"""Finds the values of secrets in a text, however they are written there, and masks them."""
