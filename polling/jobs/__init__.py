"""What every kind of job has in common: schedule, claims, limits, deadlines, groups."""
