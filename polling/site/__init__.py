"""Deliveries, groups and OpenAI jobs in the API and the admin."""
