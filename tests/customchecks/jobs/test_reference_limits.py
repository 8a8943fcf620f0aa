"""A job cannot fill the memory with a few references to a long secret."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from customchecks.jobs import fields
from customchecks.jobs.models import CustomCheckJob


def job(**changed: Any) -> CustomCheckJob:
    plain = {"name": "n", "script_source_type": "upload", "script_runtime": "python", "script_entrypoint": "main.py"}
    return CustomCheckJob(**{**plain, **changed})


def referring(count: int) -> dict[str, str]:
    return {f"V{number}": "secret_ref:a" for number in range(count)}


def test_a_variable_with_too_many_references_is_named() -> None:
    with pytest.raises(ValidationError, match=r"'V0'.*at most 20 times"):
        fields.env_vars({"V0": "secret_ref:b " * 2500})


def test_a_job_with_too_many_references_is_refused_at_every_field_that_has_some() -> None:
    fields.job(job(env_vars=referring(50), webhook_headers=referring(50)))
    with pytest.raises(ValidationError) as caught:
        fields.job(job(env_vars=referring(60), webhook_query_params=referring(41)))
    assert set(caught.value.message_dict) == {"env_vars", "webhook_query_params"}
    assert "at most 100 times" in caught.value.message_dict["env_vars"][0]


def test_what_is_no_string_is_left_to_the_field_itself() -> None:
    fields.job(job(env_vars={"A": 5}, webhook_headers=["secret_ref:a"]))
