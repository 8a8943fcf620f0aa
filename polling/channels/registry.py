"""Which channels there are: a row for each."""

from polling.channels import keboola, webhook

# What is to be sent to a URL goes by the first that says so
ROWS = (keboola.CHANNEL, webhook.CHANNEL)
CHANNELS = {channel.name: channel for channel in ROWS}


def to(url: str) -> str:
    """The name of the channel for what is to be sent to this URL."""
    return next(channel.name for channel in ROWS if channel.addresses(url))
