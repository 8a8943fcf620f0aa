"""The tables of this app, where Django looks for them."""

from customchecks.dependencies.models import DependencySet
from customchecks.jobs.models import CustomCheckJob, CustomCheckLog, ScriptArchive, ScriptVersion
from customchecks.jobs.trials import Trial

__all__ = ["CustomCheckJob", "CustomCheckLog", "DependencySet", "ScriptArchive", "ScriptVersion", "Trial"]
