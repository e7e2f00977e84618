"""A script for wrk that asks for paths with cookies in turn."""

import os

from harness.process import write

SCRIPT = """
local requests, place = {{}}, {start}
function init()
    for line in io.lines("{path}") do
        if #requests == {count} then break end
        local path, cookie = line:match("^(%S+) (.*)$")
        requests[#requests + 1] = wrk.format("GET", path, {{ Host = wrk.headers["Host"], Cookie = cookie }})
    end
end
function request()
    place = place % #requests + 1
    return requests[place]
end
"""


class Turns:
    """`pairs` of path and cookie are written down once; `script` is for a run that asks in that order."""

    def __init__(self, directory, name, pairs):
        self.directory, self.name, self.count = directory, name, 0
        self.path = os.path.join(directory, f"{name}.turns")
        with open(self.path, "w", encoding="ascii") as file:
            for path, cookie in pairs:
                file.write(f"{path} {cookie}\n")
                self.count += 1

    def script(self, *, start=0, count=None):
        """The path of the script: the first `count` pairs, or all, from the one after `start`."""
        return write(self.directory, f"{self.name}.lua",
                     SCRIPT.format(path=self.path, count=count or self.count, start=start))
