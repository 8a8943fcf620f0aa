"""When a job is checked, what its answer does, and the calls that are owed then."""
