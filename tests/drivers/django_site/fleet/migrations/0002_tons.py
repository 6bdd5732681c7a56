"""Adds a column, and an index outside of any transaction."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("fleet", "0001_initial")]
    operations = [
        migrations.AddField("Ship", "tons", models.IntegerField(default=7)),
        AddIndexConcurrently("Ship", models.Index(fields=["tons"], name="ship_tons"))]
