"""Programs on loopback: start, wait for facts, stop all that they started. Standard library only."""
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request


class Failed(Exception):
    """The story went wrong; the text says what was awaited."""


def until(what, seconds, fact):
    """Waits for `fact()` to be true and returns it; looks ten times a second until the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        found = fact()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Failed(f"not within {seconds} s: {what}")
        time.sleep(0.1)


def fetch(url, data=None, headers=None, method=None):
    """(status, body) of a request; an HTTP error is an answer, no connection is None."""
    try:
        request = urllib.request.Request(url, data=data, headers=headers or {}, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None, b""


def free_ports(count):
    """The first of `count` adjacent loopback ports that are all free."""
    for _ in range(50):
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            base = first.getsockname()[1]
        try:
            for port in range(base, base + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return base
        except (OSError, OverflowError):
            continue
    raise Failed("no free ports")


class Process:
    """A program in a process group of its own, with its output in a file if one is named."""

    def __init__(self, name, command, log=None, **options):
        self.name = name
        out = open(log, "w") if log else None
        self.popen = subprocess.Popen(command, stdout=out, stderr=out and subprocess.STDOUT, start_new_session=True, **options)
        if out:
            out.close()

    def alive(self):
        if self.popen.poll() is not None:
            raise Failed(f"{self.name} ended with {self.popen.returncode}")
        return True

    def interrupt(self, patience):
        """Ctrl-C, as a terminal sends it; the exit code."""
        os.killpg(self.popen.pid, signal.SIGINT)
        try:
            return self.popen.wait(patience)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} did not end within {patience} s of Ctrl-C") from None

    def stop(self):
        """Ends the program and all that it started."""
        for how, patience in ((signal.SIGINT, 5), (signal.SIGTERM, 5), (signal.SIGKILL, 5)):
            try:
                os.killpg(self.popen.pid, how)
                self.popen.wait(patience)
            except subprocess.TimeoutExpired:
                continue
            except ProcessLookupError:
                return
        # Functions that ministack left behind are in the same group.
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
