"""Makes the calls of the outbox."""
