"""The tables of this app, where Django looks for them."""

from polling.jobs.deadlines import ClockLook
from polling.jobs.groups import JobGroup
from polling.jobs.members import GroupMember
from polling.openai.batches import Batch
from polling.openai.models import PollingJob, PollingLog
from polling.outbox.deliveries import Delivery, DeliveryAttempt, DeliveryStatus
from polling.sweep.models import QueueProof, SweepLease

__all__ = [
    "Batch",
    "ClockLook",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryStatus",
    "GroupMember",
    "JobGroup",
    "PollingJob",
    "PollingLog",
    "QueueProof",
    "SweepLease",
]
