"""A custom check's definition: its fields, script versions, and what can be asked of it."""
