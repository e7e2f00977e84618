"""Where and with what a run was made."""

import datetime
import os
import platform
import re
import ssl
import subprocess

from harness import tools

# How each says its version, and where in what it says.
VERSIONS = {
    "nginx": (["-v"], r"nginx/([\d.]+)"),
    "haproxy": (["-v"], r"version ([\d.]+)"),
    "envoy": (["--version"], r"/([\d.]+)/"),
    "apache2": (["-v"], r"Apache/([\d.]+)"),
    "openssl": (["version"], r"OpenSSL ([\w.]+)"),
    "wrk": (["--version"], r"wrk (?:debian/)?([\d.]+)"),
    "h2load": (["--version"], r"nghttp2/([\d.]+)"),
    "oha": (["--version"], r"oha ([\d.]+)"),
}


def describe(binary, peers=VERSIONS):
    """Answers {taken, cores, processor, memory_gib, kernel, system, load_average, versions}; `peers` are the programs that have a
    part in it."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        processor = re.search(r"^model name\s*: (.*)$", file.read(), re.M)
    with open("/proc/meminfo", encoding="ascii") as file:
        memory_kib = int(re.search(r"^MemTotal: +(\d+)", file.read(), re.M).group(1))
    return {
        "taken": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cores": len(os.sched_getaffinity(0)),
        "processor": processor.group(1) if processor else platform.machine(),
        "memory_gib": round(memory_kib / (1 << 20)),
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "Linux"),
        "load_average": round(os.getloadavg()[0], 2),
        "versions": {"vestibule": version([binary, "--version"], r"([\d.]+)"), **versions(peers), "python": platform.python_version(),
                     "python's TLS": ssl.OPENSSL_VERSION.split()[1]},
    }


def versions(peers):
    """By program; with Apache, its module's too. What is not installed is left out."""
    found = {name: version([tools.find(name), *VERSIONS[name][0]], VERSIONS[name][1]) for name in peers if tools.find(name)}
    if "apache2" in peers:
        module = subprocess.run(["dpkg-query", "-W", "-f=${Version}", "libapache2-mod-auth-openidc"],
                                capture_output=True, text=True)
        if module.returncode == 0:
            found["mod_auth_openidc"] = module.stdout
    return found


def version(command, pattern):
    said = subprocess.run(command, capture_output=True, text=True)
    found = re.search(pattern, said.stdout + said.stderr)
    return found.group(1) if found else "unknown"
