"""What migrations do to rows that are there already."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


@pytest.mark.django_db(transaction=True)
def test_a_script_that_was_stored_before_versions_is_the_first_one() -> None:
    executor = MigrationExecutor(connection)
    newest = executor.loader.graph.leaf_nodes("customchecks")
    executor.migrate([("customchecks", "0001_initial")])
    old = executor.loader.project_state([("customchecks", "0001_initial")]).apps
    archive = old.get_model("customchecks", "ScriptArchive").objects.create(sha256="1" * 64, content=b"x", size=1)
    job = old.get_model("customchecks", "CustomCheckJob")(name="n", script_source_type="upload")
    job.script_archive = archive
    job.save()
    executor = MigrationExecutor(connection)
    executor.migrate(newest)
    new = executor.loader.project_state(newest).apps
    version = new.get_model("customchecks", "ScriptVersion").objects.get()
    assert (version.number, version.archive_id, version.job_id) == (1, "1" * 64, job.pk)
