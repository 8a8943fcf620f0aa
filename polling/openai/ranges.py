"""The numbers that a job that watches batches may have. The help of its command reads them too."""

from teckochecker.kit.ranges import Range

INTERVAL_SECONDS = Range(30, 3600, 120)
