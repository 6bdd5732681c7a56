"""Makes the table."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [migrations.CreateModel("Ship", [
        ("id", models.AutoField(primary_key=True, auto_created=True, serialize=False)),
        ("name", models.TextField())])]
