"""Migrates and works with Django on the database of the PG... variables; see target.Target.run."""

import os
import sys

import django
from django.conf import settings

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "fleet"],
    DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"],
        "USER": os.environ["PGUSER"], "PASSWORD": os.environ["PGPASSWORD"],
        "HOST": os.environ["PGHOST"], "PORT": os.environ["PGPORT"], "CONN_MAX_AGE": None,
        "OPTIONS": {"options": "-c search_path=app_django,public"}}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField", USE_TZ=True, TIME_ZONE="Asia/Tokyo",
    SECRET_KEY="of a test")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from fleet.models import Ship  # noqa: E402


def shuffle():
    print("shuffle", flush=True)
    sys.stdin.readline()


def backend():
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid(), current_setting('search_path'),"
                       " current_setting('timezone')")
        pid, path, zone = cursor.fetchone()
    assert (path, zone) == ("app_django,public", "UTC"), (path, zone)
    print(f"pid {pid}", flush=True)


def check(holds, what):
    if not holds:
        raise SystemExit(f"not so: {what}")


call_command("migrate", "fleet", "0001", verbosity=0)
shuffle()
call_command("migrate", verbosity=0)
for turn in range(4):
    shuffle()
    backend()
    with transaction.atomic():
        Ship.objects.bulk_create([Ship(name=f"{turn}-{number}") for number in range(300)])
        try:
            with transaction.atomic():  # a savepoint
                Ship.objects.create(name="never", tons=1 // 0)
        except ZeroDivisionError:
            pass
    check(Ship.objects.count() == (turn + 1) * 300, "the rows are there")
seen = 0
for ship in Ship.objects.order_by("id").iterator(chunk_size=200):  # a held cursor, in autocommit
    if seen % 200 == 0:  # once for each fetch
        shuffle()
        backend()
        check(Ship.objects.filter(pk=ship.pk).update(tons=seen) == 1, "one row is updated")
    seen += 1
check(seen == 1200, f"1200 rows are read by the cursor, not {seen}")
with transaction.atomic():
    check(sum(1 for _ in Ship.objects.iterator(chunk_size=100)) == 1200, "1200 rows within atomic")
    locked = Ship.objects.select_for_update().order_by("id").first()
    check(locked.tons == 0, "the first row is locked")
call_command("migrate", "fleet", "zero", verbosity=0)
print("ok", flush=True)
