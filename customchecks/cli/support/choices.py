"""What options can be chosen from, known without Django's models; a test compares these with the models' own."""

from typing import Literal

PollingJob = Literal["active", "paused", "completed", "failed", "completed_with_failures"]
Delivery = Literal["pending", "delivered", "failed", "gone", "unknown"]
Group = Literal["active", "completed", "failed"]
Job = Literal["active", "paused", "completed", "failed"]
Scope = Literal["read", "operate", "admin"]
Secret = Literal["openai", "keboola", "generic"]

LARGEST_ID = 2**63 - 1
USUAL_DAYS, LONGEST_DAYS = 90, 366  # of a token
