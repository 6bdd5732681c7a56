"""Django: its migrations, and what an application does; see django_site/program.py.

Known failures: `cursor "_django_curs_..." does not exist` in .iterator(), `unsupported startup
parameter: options=-c search_path=...` (pgbouncer#1176).
"""

import sys

from target import FOLDER


def test_django_migrates_and_works(target, postgres, tables):
    postgres.admin.execute("create schema app_django; grant all on schema app_django to public")
    target.run([sys.executable, f"{FOLDER}/django_site/program.py"])
