"""Channels: the ways on which deliveries go, such as a webhook, and what jobs tell on them."""
