"""What the django-q2 cluster calls. The rows are the truth: a lost, late or doubled task is harmless."""

from polling.sweep.sweeper import Sweeper, this_host


def sweep() -> str:
    return Sweeper.from_settings(host=this_host()).run()


def prove() -> None:
    """That a task goes through the queue: the watchdog sees that it was done."""
