"""What the django-q2 cluster calls. The rows are the truth: a lost, late or doubled task is harmless."""

from polling.sweeper import Sweeper, this_host


def sweep() -> str:
    return Sweeper.from_settings(host=this_host()).run()
