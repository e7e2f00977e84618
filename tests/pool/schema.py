"""Databases as earlier releases had them, from the steps of this tree."""

import base64
import hashlib
import os
import re
import sqlite3
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Wherever the room of user pools is.
STEPS = sorted((step for top in ROOT.iterdir() if top.name in ("src", "crates") for step in top.rglob("schema/0*-*.sql")), key=lambda step: step.name)
# Of src/database: tables that every version has.
OWN = ("schema_versions", "sealed_probe", "copy_mark")


def version(path):
    with sqlite3.connect(path) as database:
        return database.execute("SELECT max(version) FROM schema_versions").fetchone()[0]


def make_older(path, steps):
    """Replaces the database by one that has had the first `steps` only, with everything that it has a place for. Nobody may have it open."""
    older = Path(f"{path}.older")
    with sqlite3.connect(older, isolation_level=None) as database:
        database.execute("ATTACH ? AS latest", (str(path),))
        database.execute(f"PRAGMA application_id = {database.execute('PRAGMA latest.application_id').fetchone()[0]}")
        database.execute("BEGIN")
        for name in OWN:
            database.execute(database.execute("SELECT sql FROM latest.sqlite_master WHERE name = ?", (name,)).fetchone()[0])
        for step in STEPS[:steps]:
            for statement in statements(step.read_text()):
                database.execute(statement)
        tables = [name for name, in database.execute("SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
        for table in tables:
            columns = ", ".join(row[1] for row in database.execute(f"PRAGMA main.table_info({table})"))
            condition = f"WHERE version <= {steps}" if table == "schema_versions" else ""
            database.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM latest.{table} {condition}")
        if database.execute("SELECT 1 FROM main.sqlite_master WHERE name = 'sqlite_sequence'").fetchone():
            database.execute("DELETE FROM main.sqlite_sequence")
            database.execute("INSERT INTO main.sqlite_sequence SELECT * FROM latest.sqlite_sequence WHERE name IN (SELECT name FROM main.sqlite_master)")
        known = [row[0] for row in database.execute("SELECT checksum FROM main.schema_versions ORDER BY version")]
        database.execute("COMMIT")
    database.close()
    ours = [base64.b64encode(hashlib.sha256(step.read_bytes()).digest()).rstrip(b"=").decode() for step in STEPS[:steps]]
    assert known == ours, "the program has other steps than this tree"
    os.replace(older, path)
    os.chmod(path, 0o600)
    for ending in ("-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)


def take_last_step_back(path):
    """Takes the last step back while a process has the database open: as if an earlier release served. This needs a last step that only adds tables, and
    tables that the process does not need for what is done meanwhile. Those of step 8 are needed where users of other providers sign in."""
    made = statements(STEPS[-1].read_text())
    tables = [match[1] for one in made if (match := re.match(r"\s*CREATE TABLE (\w+)", one))]
    if not all(re.match(r"\s*CREATE (TABLE|INDEX|UNIQUE INDEX)", one) for one in made):
        raise SystemExit(f"{STEPS[-1].name} cannot be taken back under a process that serves: give --before")
    database = sqlite3.connect(path, timeout=10, isolation_level=None)
    drops = " ".join(f"DROP TABLE {table};" for table in tables)
    database.executescript(f"BEGIN IMMEDIATE; {drops} DELETE FROM schema_versions WHERE version = {len(STEPS)}; COMMIT")
    database.close()


def faults(path):
    """What SQLite finds damaged."""
    database = sqlite3.connect(path)
    damaged = [row[0] for row in database.execute("PRAGMA integrity_check") if row[0] != "ok"]
    damaged += [str(row) for row in database.execute("PRAGMA foreign_key_check")]
    database.close()
    return damaged


def statements(text):
    return [one for one in re.sub(r"--[^\n]*", "", text).split(";") if one.strip()]
