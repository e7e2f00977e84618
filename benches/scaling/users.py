"""What users in a database cost: the memory at rest of a pool that has none, the size of the program, and how sign-ins and searches grow with users.

Cost is CPU time of the process that serves, for each sign-in or search; of a command, its own from start to end. A sign-in by a mailed code has all that a
sign-in does but the password hash, which takes the same time however many users there are. Each size has its turn in each round; a ratio is the
median of those of the rounds.
"""

import base64
import collections
import http.client
import json
import os
import random
import re
import select
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from urllib.parse import urlencode

from harness import bench, stats
from harness.process import output

sys.path.insert(0, os.path.join(bench.ROOT, "tests"))

from pool.browser import Browser, heading  # noqa: E402
from pool.mail import Mail  # noqa: E402
from pool.process import CALLBACK, Pool  # noqa: E402

BAR_MEMORY_MB = BAR_PROGRAM_MB = 6
BAR_RATIO = 1.5
FEW = 1000
STARTS, SETTLE_SECONDS = 7, 2
PASSWORD = "a compiler for everybody"
PAGE = 50
CONSOLE_EACH, COMMANDS_EACH, CODES_EACH, PASSWORDS_EACH = 40, 4, 12, 6
FAMILIES = 10

CONFIGURATION = """
listeners:
  - name: public
    address: 127.0.0.1:{port}
    protocol: https
    certificates: [{{ certificate_file: cert.pem, private_key_file: key.pem }}]
    default_actions: [{{ type: fixed-response, status_code: 404 }}]
user_pools:
  people:
    issuer: https://{login}
    store: {{ sqlite: people.db, key_files: [store-key] }}
    sign_in: {{ aliases: [email], first_factors: [password, email_code] }}
    mail: {{ smtp: "smtp://127.0.0.1:{mail}", from: "Pool <pool@login.test>" }}
    clients:
      - client_id: app
        client_secret: {secret}
        redirect_uris: [{callback}]
session: {{ key_files: [session-key] }}
admin: {{ address: "127.0.0.1:{admin}", console: {{ password_file: console-password }} }}
access_log: {{ destination: access.log }}
log: {{ level: warn }}
shutdown: {{ delay: 0s }}
"""


def run(binary, arguments):
    """Prints everything. Returns the bars that do not hold."""
    broken = []
    for part in (at_rest, program, growth):
        for what, value, bar in part(binary, arguments):
            holds = value <= bar
            print(f"{what}: {value:.2f}, the bar is {bar:g}: {'holds' if holds else 'DOES NOT HOLD'}", flush=True)
            broken += [] if holds else [what]
        print()
    return broken


def at_rest(binary, arguments):
    """Answers by how much an empty database raises the memory of a process that does nothing."""
    print(f"== memory at rest, medians of {STARTS} starts each, {SETTLE_SECONDS} s after the start, in MB")
    found = collections.defaultdict(list)
    with bench.Bench(binary) as here:
        output([binary, "keys", "store", "--out", f"{here.directory}/store-key"])
        for number in range(STARTS):
            for kind in ("users in the file", "an empty database"):
                settings = here.vestibule_configuration(1)
                if kind == "an empty database":
                    [pool] = settings["user_pools"].values()
                    del pool["users"], pool["signing_key_file"]
                    pool["store"] = {"sqlite": f"{here.directory}/people-{number}.db", "key_files": [f"{here.directory}/store-key"]}
                process = here.start_vestibule(settings, f"{kind.replace(' ', '-')}-{number}")
                time.sleep(SETTLE_SECONDS)
                found[kind].append(process.memory())
                here.stop(process)
    middle = {kind: [statistics.median(getattr(one, key) for one in memories) * 1024 / 1e6 for key in ("resident", "own")]
              for kind, memories in found.items()}
    for kind, (resident, own) in middle.items():
        print(f"{kind:<20} resident {resident:6.2f}, without pages of files {own:6.2f}")
    (file, _), (store, _) = middle.values()
    yield "resident memory of an empty database, MB", store - file, BAR_MEMORY_MB


def program(binary, arguments):
    """Answers by how much the program has grown since `--before`, if that is given."""
    print("== the program, without symbols, in MB")
    size = stripped(binary)
    print(f"{size / 1e6:.2f}")
    for part, bytes_of in symbols(binary).items():
        print(f"    {bytes_of / 1e6:5.2f} are symbols of {part}")
    print("    Not counted there: generic code of others that is compiled for these, tables for unwinding, relocations.")
    if arguments.before:
        before = stripped(arguments.before)
        print(f"{before / 1e6:.2f} before")
        yield "growth of the program, MB", (size - before) / 1e6, BAR_PROGRAM_MB
    else:
        print("growth of the program: NOT MEASURED, needs --before with a program of before (bar: 6 MB)")


def stripped(path):
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "program")
        shutil.copyfile(path, copy)
        output(["strip", "--strip-all", copy])
        return os.path.getsize(copy)


def symbols(path):
    """Bytes by part of the program. SQLite is one file of C, so all of it is between its first and its last function."""
    rows = []
    for line in output(["nm", "--defined-only", "--print-size", "--demangle", path]).splitlines():
        if row := re.match(r"([0-9a-f]+) ([0-9a-f]+) (\w) (.*)", line):
            rows.append((int(row[1], 16), int(row[2], 16), row[3], row[4]))
    functions = [address for address, _, kind, name in rows if name.startswith("sqlite3") and kind in "tT"]
    first, last = min(functions), max(functions)
    parts = {"SQLite": lambda address, name: first <= address <= last or name.startswith("sqlite3"),
             "rusqlite and the room database": lambda _, name: re.search(r"\b(rusqlite|libsqlite3_sys|database)::", name),
             "webauthn-rs and what it needs": lambda _, name: re.search(r"\b(webauthn_\w+|serde_cbor_2|base64urlsafedata)::", name),
             "lettre": lambda _, name: re.search(r"\blettre::", name),
             "totp-rs, qrcode, bcrypt, scrypt": lambda _, name: re.search(r"\b(totp_rs|qrcode|qrcodegen|bcrypt|blowfish|scrypt|salsa20)::", name),
             "the console": lambda _, name: re.search(r"\bconsole::", name),
             "the room user_pool, with what it had without a database": lambda _, name: re.search(r"\buser_pool::", name)}
    sizes = dict.fromkeys(parts, 0)
    for address, size, _, name in rows:
        if part := next((part for part, is_in in parts.items() if is_in(address, name)), None):
            sizes[part] += size
    return sizes


def growth(binary, arguments):
    """Answers what each kind of sign-in and search costs with many users over what it costs with few."""
    many = arguments.users_max
    print(f"== sign-in and search, {FEW:,} users and {many:,}")
    mail = Mail()
    mail.open()
    with tempfile.TemporaryDirectory(prefix="vestibule-bench-") as folder:
        people = [People(binary, Path(folder), mail, size, arguments.imported) for size in (FEW, many)]
        try:
            for one in people:
                one.pool.start()
            rounds = stats.rounds(arguments.rounds, people, People.measure)
        finally:
            for one in people:
                if one.pool.is_running():
                    one.pool.stop()
            mail.close()
    few, all_of = (rounds[one.name] for one in people)
    print(f"\n{'CPU, milliseconds':<64} {FEW:>10,} {many:>10,}  ratio (bar: {BAR_RATIO})")
    worst = collections.defaultdict(float)
    for what in few[0]:
        cost = [statistics.median(one[what] for one in of) for of in (few, all_of)]
        ratio = stats.ratio([one[what] for one in all_of], [one[what] for one in few])
        kind = what.partition(":")[0]
        worst[kind] = max(worst[kind], ratio)
        print(f"{what:<64} {cost[0]:>10.2f} {cost[1]:>10.2f}  {ratio:.2f}")
    for kind, ratio in worst.items():
        yield f"{kind}, the worst ratio", ratio, BAR_RATIO


class People:
    """A pool with so many users."""

    def __init__(self, binary, folder, mail, size, imported):
        self.name, self.size, self.mail, self.random = f"{size:,}", size, mail, random.Random(size)
        folder /= str(size)
        folder.mkdir()
        (folder / "console-password").write_text(base64.urlsafe_b64encode(os.urandom(32)).decode() + "\n")
        os.chmod(folder / "console-password", 0o600)
        self.pool = Pool(binary, folder, CONFIGURATION, mail=mail.port)
        self.fill(min(imported or size, size))
        password = (folder / "console-password").read_text().strip()
        self.authorization = "Basic " + base64.b64encode(f":{password}".encode()).decode()

    def fill(self, imported):
        """By `vestibule users import`, and those after the first `imported` by SQL in one transaction."""
        hashed, file = self.pool.hash(PASSWORD), self.pool.folder / "people.jsonl"
        with open(file, "w", encoding="ascii") as lines:
            for number in range(imported):
                lines.write(json.dumps({"username": user(number), "attributes": attributes(number), "password_hash": hashed}) + "\n")
        began = time.monotonic()
        command = subprocess.Popen([self.pool.program, "users", "import", file.name, "--config", "vestibule.yaml"], cwd=self.pool.folder,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        most = 0
        # It writes when it is done. `ru_maxrss` would be that of this process, from which it came.
        while not select.select([command.stdout], [], [], 0.1)[0]:
            most = max(most, memory_at_most(command.pid))
        said = command.stdout.read().decode()
        _, status, used = os.wait4(command.pid, 0)
        command.returncode = status
        if status or not said.startswith(f"{imported} added"):
            raise SystemExit(f"the import failed: {said}")
        file.unlink()
        took = time.monotonic() - began
        print(f"import of {imported:,}: {took:.1f} s, {imported / took:,.0f} users a second, CPU {used.ru_utime + used.ru_stime:.1f} s, "
              f"memory {most:.1f} MB at most", flush=True)
        if imported < self.size:
            began = time.monotonic()
            copy_users(self.pool.folder / "people.db", imported, self.size)
            print(f"the other {self.size - imported:,} by SQL: {time.monotonic() - began:.1f} s", flush=True)

    def measure(self):
        """Milliseconds of CPU for each kind."""
        found = {}
        # The server has closed the one of the round before.
        self.console = http.client.HTTPConnection("127.0.0.1", self.pool.admin, timeout=30)
        # The only pool.
        self.start = self.open_console("/console")[0].headers["location"]
        for what, search in self.searches().items():
            found[f"console: {what}"] = self.of_console(search)
        for what, search in self.searches().items():
            found[f"command: {what}"] = statistics.median(self.of_command(*next(search)) for _ in range(COMMANDS_EACH))
        found["sign-in: by a mailed code, so without a hash"] = self.of_server(self.sign_in_by_code, CODES_EACH)
        found["sign-in: by the user name and a password"] = self.of_server(lambda: self.sign_in(user), PASSWORDS_EACH)
        found["sign-in: by the e-mail address and a password"] = self.of_server(lambda: self.sign_in(address), PASSWORDS_EACH)
        return found

    def of_server(self, work, count):
        before = cpu_seconds(self.pool.process.pid)
        for _ in range(count):
            work()
        return (cpu_seconds(self.pool.process.pid) - before) * 1000 / count

    def any(self):
        return self.random.randrange(self.size)

    def searches(self):
        """What is searched for, and where a page begins: endlessly, others each time. All but those with one user have a whole page."""
        def endless(make):
            while True:
                yield make()
        thousand = lambda: f"user-{self.random.randrange(self.size // 1000):04}"
        family = lambda: f"Family{self.random.randrange(FAMILIES)}"
        subject = str(uuid.UUID(int=4 << 124))  # a quarter of all is before it
        middle = user(self.size // 2)
        return {what: endless(make) for what, make in {
            "the first page of all": lambda: ("", "", PAGE),
            "a page in the middle of all": lambda: ("", cursor(middle), PAGE),
            "one user name": lambda: (f'username = "{user(self.any())}"', "", 1),
            "user names that begin so": lambda: (f'username ^= "{thousand()}"', "", PAGE),
            "the same, a page in the middle of all": lambda: ('username ^= "user-"', cursor(middle), PAGE),
            "one e-mail address": lambda: (f'email = "{address(self.any())}"', "", 1),
            "e-mail addresses that begin so": lambda: (f'email ^= "{thousand()}"', "", PAGE),
            "the same for all, a page in the middle": lambda: ('email ^= "user-"', cursor(f"{middle}@example.com"), PAGE),
            "a family name that every tenth has": lambda: (f'family_name = "{family()}"', "", PAGE),
            "the same, a page after a quarter": lambda: ('family_name = "Family3"', cursor("family3", subject), PAGE),
            "family names that begin so, a page further on": lambda: ('family_name ^= "Fam"', cursor("family5", subject), PAGE),
            "all who are enabled, a page in the middle": lambda: ('status = "Enabled"', cursor(middle), PAGE),
            "all who are confirmed, a page in the middle": lambda: ('cognito:user_status = "CONFIRMED"', cursor(middle), PAGE),
        }.items()}

    def of_console(self, search):
        return self.of_server(lambda: self.ask_console(*next(search)), CONSOLE_EACH)

    def ask_console(self, text, after, users):
        answer, page = self.open_console(f"{self.start}{'&' if '?' in self.start else '?'}{urlencode({'search': text, 'after': after})}")
        found = len(re.findall(r'href="/console/[^"?]*user\?', page))
        if answer.status != 200 or found != users:
            raise SystemExit(f"the console answered {answer.status} with {found} users to {text!r}")

    def open_console(self, path):
        self.console.request("GET", path, headers={"Authorization": self.authorization})
        answer = self.console.getresponse()
        return answer, answer.read().decode()

    def of_command(self, text, after, users):
        command = [self.pool.program, "users", "list", "--json", "--limit", str(PAGE), "--filter", text, *(["--after", after] if after else []),
                   "--config", "vestibule.yaml"]
        running = subprocess.Popen(command, cwd=self.pool.folder, stdout=subprocess.PIPE)
        said = running.stdout.read()
        _, status, used = os.wait4(running.pid, 0)
        running.returncode = status
        found = len(json.loads(said)["users"]) if status == 0 else None
        if found != users:
            raise SystemExit(f"{command} ended with {status} and {found} users")
        return (used.ru_utime + used.ru_stime) * 1000

    def browser(self):
        """From an address of its own: limits are for each address."""
        return Browser(self.pool.port, address=f"127.{random.randint(1, 250)}.{random.randint(0, 250)}.{random.randint(1, 250)}")

    def sign_in(self, name):
        number = self.any()
        if self.pool.sign_in(name(number), PASSWORD, self.browser())[1] is None:
            raise SystemExit(f"{name(number)} cannot sign in")

    def sign_in_by_code(self):
        number, browser = self.any(), self.browser()
        (_, _, page), _ = self.pool.ask(browser)
        _, _, page = browser.follow(re.search(r'href="([^"]*/sign-in/email[^"]*)"', page)[1].replace("&#38;", "&").replace("&amp;", "&"))
        _, _, page = browser.submit(page, {"username": user(number)})
        _, leads_to, page = browser.submit(page, {"code": self.mail.code_for(address(number))})
        if not leads_to.startswith(CALLBACK):
            raise SystemExit(f"{user(number)} cannot sign in with a code: {heading(page)}")


def user(number):
    return f"user-{number:07}"


def address(number):
    return f"{user(number)}@example.com"


def attributes(number):
    return {"email": address(number), "email_verified": "true", "given_name": f"Given{number % 1000}", "family_name": f"Family{number % FAMILIES}"}


def cursor(key, subject=""):
    """What a list prints as `after`."""
    return base64.urlsafe_b64encode(f"{key}\0{subject}".encode()).rstrip(b"=").decode()


def cpu_seconds(pid):
    """Of all threads so far, in nanoseconds as a float: the clock of a process that clock_getcpuclockid(3) names."""
    return time.clock_gettime_ns(~pid << 3 | 2) / 1e9


def memory_at_most(pid):
    """The largest resident memory of a process so far, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.M)
    return int(found[1]) * 1024 / 1e6 if found else 0


def copy_users(path, first, end):
    """Adds users as the first one is, with other names and addresses."""
    with sqlite3.connect(path, isolation_level=None) as database:
        for pragma in ("journal_mode = off", "cache_size = -1000000", "synchronous = off"):
            database.execute(f"PRAGMA {pragma}")
        columns = [row[1] for row in database.execute("PRAGMA table_info(users)")]
        model = dict(zip(columns, database.execute("SELECT * FROM users WHERE username_key = ?", (user(0),)).fetchone(), strict=True))
        of = lambda table, sub: database.execute(f"SELECT * FROM {table} WHERE sub = ? ORDER BY 2, 3", (sub,)).fetchall()
        pool, sub = model["pool"], model["sub"]
        if (of("aliases", sub), of("user_search", sub)) != ([(pool, "email", address(0), sub)], searched(pool, 0, sub)):
            raise SystemExit("users that are imported have other rows than those that would be copied")
        known = json.loads(model["attributes"])
        if {**known, **attributes(0)} != known:
            raise SystemExit(f"users that are imported have other attributes: {known}")
        database.execute("BEGIN")
        database.execute("CREATE TEMP TABLE new AS WITH RECURSIVE numbers (number) AS (SELECT ?1 UNION ALL SELECT number + 1 FROM numbers "
                         "WHERE number + 1 < ?2) SELECT number, printf('user-%07d', number) AS name, lower(hex(randomblob(16))) AS sub FROM numbers",
                         (first, end))
        database.execute("UPDATE new SET sub = substr(sub, 1, 8) || '-' || substr(sub, 9, 4) || '-4' || substr(sub, 14, 3) || '-a' || "
                         "substr(sub, 18, 3) || '-' || substr(sub, 21)")
        own = {"sub": "sub", "username": "name", "username_key": "name",
               "attributes": "json_set(:attributes, '$.email', name || '@example.com', '$.given_name', 'Given' || (number % 1000), "
                             f"'$.family_name', 'Family' || (number % {FAMILIES}))"}
        database.execute(f"INSERT INTO users SELECT {', '.join(own.get(column, f':{column}') for column in columns)} FROM new", model)
        database.execute("INSERT INTO aliases SELECT ?, 'email', name || '@example.com', sub FROM new", (pool,))
        for name, value in (("email", "name || '@example.com'"), ("family_name", f"'family' || (number % {FAMILIES})"),
                            ("given_name", "'given' || (number % 1000)")):
            database.execute(f"INSERT INTO user_search SELECT ?, '{name}', {value}, sub FROM new", (pool,))
        last, sub = database.execute("SELECT number, sub FROM new ORDER BY number DESC LIMIT 1").fetchone()
        written = database.execute("SELECT attributes FROM users WHERE username_key = ?", (user(last),)).fetchone()[0]
        if json.loads(written) != {**known, **attributes(last)} or of("user_search", sub) != searched(pool, last, sub):
            raise SystemExit("users were copied wrongly")
        database.execute("COMMIT")
    database.close()


def searched(pool, number, sub):
    """What a user is found by."""
    return sorted((pool, name, value.lower(), sub) for name, value in attributes(number).items() if name != "email_verified")
