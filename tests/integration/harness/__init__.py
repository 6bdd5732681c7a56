"""What the integration tests stand on: a throw-away PostgreSQL, pgring processes, a raw client.

Every module here waits for conditions with deadlines and never sleeps to let something happen.
"""
