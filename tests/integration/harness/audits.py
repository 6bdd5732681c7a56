"""What pgring asks by itself: when it has asked all."""

import time

from harness.wait import until


def totals(pooler):
    return {row["name"]: int(row["value"]) for row in pooler.show("TOTALS")}


def audits(pooler):
    return totals(pooler)["total_audit_count"]


def looked_into(pooler):
    """Nothing is under way, and nothing comes: what ran is known."""
    def is_so():
        pooler.settle()
        before = audits(pooler)
        time.sleep(0.4)
        return audits(pooler) == before
    until(is_so, "all connections are looked into")
