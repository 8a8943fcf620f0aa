"""API tokens with their scopes, and the audit: who did what."""
