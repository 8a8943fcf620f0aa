"""Jobs whose question is a user's script."""
