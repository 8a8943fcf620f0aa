"""The guarded HTTP client: the only way to a host that a user has named."""
