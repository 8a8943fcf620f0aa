"""The numbers that jobs of every kind may have, and those that new ones get. The help of commands reads them too."""

from teckochecker.kit.ranges import Range

DAY = 86400
INTERVAL_SECONDS = Range(10, DAY, 120)  # also of what a script asks for
DEADLINE_SECONDS = Range(10, 366 * DAY, 7 * DAY)
MAX_CHECKS = Range(1, 10_000_000, 100_000)  # more than the default deadline has room for: it stops checks without pause
MAX_ERRORS = Range(1, 1000, 25)  # with the growing delays after errors about 19 hours
ALERT_AFTER_ERRORS = Range(1, 1000, 5)  # about a quarter of an hour
