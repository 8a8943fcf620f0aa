"""What everything about checks shares: results, the clock, outages, crash points."""
