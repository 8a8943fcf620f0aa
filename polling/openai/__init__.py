"""The kind of job that watches OpenAI batches, without a script."""
