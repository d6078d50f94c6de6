"""A process that opens a store whose schema has one script more, and that is killed in the midst of it."""

import os
import signal
import sqlite3
import sys
from pathlib import Path

from connector.store import file, sqlite

SECOND = """
ALTER TABLE part ADD COLUMN invented INTEGER NOT NULL DEFAULT 0;
CREATE TABLE invention (id INTEGER PRIMARY KEY, part INTEGER NOT NULL);
INSERT INTO invention (part) SELECT id FROM part;
SELECT crash();
UPDATE part SET invented = 1;
"""


def newer(crash: str = "") -> tuple[int, list[str]]:
    """Return number and scripts of a schema that is one ahead of ours."""
    known = file.schemas()
    return len(known) + 1, [*known, SECOND.replace("SELECT crash();\n", crash)]


def connect(path: Path, read_only: bool) -> sqlite3.Connection:
    connection = file.connect(path, read_only)
    connection.create_function("crash", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
    return connection


if __name__ == "__main__":
    sqlite.SCHEMA_VERSION, scripts = newer("SELECT crash();\n")
    sqlite.schemas = lambda: scripts
    sqlite.SqliteEngine(sys.argv[1], connect=connect)
