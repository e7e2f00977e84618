"""A user pool with a database, and many users in it."""

import json

from harness.process import output, write


def with_store(running, settings, **more):
    """Gives the pool of a configuration a database instead of users of the file, and `more` settings. Answers the configuration."""
    keys = f"{running.directory}/store-key"
    output([running.binary, "keys", "store", "--out", keys])
    people = settings["user_pools"]["people"]
    del people["users"]
    people.update({"store": {"sqlite": f"{running.directory}/people.db", "key_files": [keys]}, **more})
    return settings


def add_users(running, users, name="people"):
    """Adds users to the database of a pool of the process that serves, by an import.

    `users` are its lines as objects. Everybody has the password of `browser.py`.
    """
    lines = [json.dumps({**user, "password_hash": running.keys.password_hash}) + "\n" for user in users]
    path = write(running.directory, "people.jsonl", "".join(lines))
    output([running.binary, "users", "import", "--pool", name, "--config", f"{running.directory}/vestibule.yaml", path])
