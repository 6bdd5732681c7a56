"""Writes the nested dicts of the tests as TOML."""

import json
import re

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")


def _key(name):
    return name if _BARE.match(name) else json.dumps(name)


def _value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, int):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def dump(tree, path=()):
    """Plain values first, then one table per nested dict; None leaves a key out."""
    lines = []
    if path and any(not isinstance(value, dict) for value in tree.values()) or path and not tree:
        lines.append("[" + ".".join(_key(part) for part in path) + "]")
    for name, value in tree.items():
        if not isinstance(value, dict) and value is not None:
            lines.append(f"{_key(name)} = {_value(value)}")
    for name, value in tree.items():
        if isinstance(value, dict):
            lines.append(dump(value, (*path, name)))
    return "\n".join(lines) + "\n"


def merge(base, changes):
    """`base` with `changes` laid over it, table by table."""
    merged = dict(base)
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(merged.get(name), dict):
            merged[name] = merge(merged[name], value)
        else:
            merged[name] = value
    return merged
