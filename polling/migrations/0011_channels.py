from typing import Any

from django.db import migrations, models


def _name_channels(apps: Any, editor: Any) -> None:
    apps.get_model("polling", "Delivery").objects.filter(at_most_once=True).update(channel="keboola")


class Migration(migrations.Migration):
    dependencies = [
        ("polling", "0010_corrected_settings"),
    ]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="channel",
            field=models.CharField(default="webhook", editable=False, max_length=50),
            preserve_default=False,
        ),
        migrations.RunPython(_name_channels, migrations.RunPython.noop),
        migrations.RemoveField(
            model_name="delivery",
            name="at_most_once",
        ),
    ]
