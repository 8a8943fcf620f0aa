"""What Django itself can say about the project."""

import pytest
from django.core.management import call_command

from tests.ground_rules.code import APPS


@pytest.mark.django_db
def test_every_change_of_a_model_has_its_migration() -> None:
    call_command("makemigrations", *APPS, check_changes=True, dry_run=True, verbosity=0)


def test_the_deployment_check_is_clean() -> None:
    call_command("check", deploy=True, fail_level="WARNING")
