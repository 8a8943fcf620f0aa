"""Runtimes, a row each, and the runner images they run in."""
