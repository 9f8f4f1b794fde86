"""The entry of a MAP: shows what it says of itself, extracts what it holds, or runs the application.

Owns the commands of ``/var/holoscan/tools`` and ``/opt/monai/executor/monai-exec``, the time-out, and
the exit status, which is the application's. Lies in the MAP as one file and needs nothing but Python:
it imports nothing of bedside, so that it answers in milliseconds, whatever the rest is like. See the
MAP specification 1.0, "Container Behavior and Interaction", and 0.1, "Executor".
"""

# It prints and starts programs, and pathlib takes as long to import as all the rest.
# ruff: noqa: PTH103, PTH112, PTH113, PTH118, PTH119, PTH123, S606, T201

import contextlib
import json
import os
import shutil
import signal
import sys
import time

USAGE = """\
USAGE: /var/holoscan/tools [command] [arguments]...

  show [app|pkg]  Print the manifests, or one of them.
  env             Print the environment variables.
  extract         Copy what this package holds to what is mounted:
                    /var/run/holoscan/export/app      the application
                    /var/run/holoscan/export/config   app.json, pkg.json and app.yaml
                    /var/run/holoscan/export/models   the models
                    /var/run/holoscan/export/docs     documents and licences
                    /var/run/holoscan/export          all of these
  child           Be a warm child of a bedside worker, on stdin and stdout.
  help            Print this.

Anything else, or nothing, runs the application: it reads /var/holoscan/input, writes
/var/holoscan/output, and its exit status is this program's.
"""

APP_MANIFEST, PKG_MANIFEST = "/etc/holoscan/app.json", "/etc/holoscan/pkg.json"
APP_CONFIG = "/var/holoscan/app.yaml"

#: Where `extract` copies to, and from where, of each generation.
EXPORTS = {
    "/var/run/holoscan/export": {
        "app": ["/opt/holoscan/app"],
        "config": [APP_MANIFEST, PKG_MANIFEST, APP_CONFIG],
        "models": ["/opt/holoscan/models"],
        "docs": ["/opt/holoscan/docs"],
    },
    "/var/run/monai/export": {
        "app": ["/opt/monai/app"],
        "config": ["/etc/monai/app.json", "/etc/monai/pkg.json"],
        "models": ["/opt/monai/models"],
    },
}

#: Exit codes of bedside.errors: UsageError, ConfigError, Unavailable, ModelFailed.
USAGE_ERROR, CONFIG_ERROR, UNAVAILABLE, FAILED = 2, 3, 5, 6

#: From SIGTERM to SIGKILL when time is up.
GRACE_S = 10.0

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def main(arguments: list[str], *, root: str = "") -> int:
    """Do what the first argument says.

    Args:
        arguments: Of the command line, without the program.
        root: Put before every path; empty inside a MAP.

    Returns:
        The exit status.
    """
    command = arguments[0] if arguments else ""
    if command == "show":
        return show(arguments[1:], root)
    if command == "env":
        for name in sorted(os.environ):
            print(f"{name}={os.environ[name]}")
        return 0
    if command in ("help", "--help", "-h"):
        print(USAGE, end="")
        return 0
    if command == "extract" or (not command and os.path.isdir(root + "/var/run/monai/export")):
        return extract(root)  # a mounted export folder alone asks for it: 0.1, "Manifest Export"
    if command == "child":
        os.execv(sys.executable, [sys.executable, "-P", "-m", "bedside.runtime"])
    return run(arguments, root)


def show(which: list[str], root: str) -> int:
    """Print the manifests as they are; what separates two of them goes to stderr."""
    known = {"app": APP_MANIFEST, "pkg": PKG_MANIFEST}
    if any(name not in known for name in which):
        return _refuse(USAGE_ERROR, f"show {' '.join(which)}: app or pkg is expected")
    for name in which or list(known):
        print(f"============================== {name}.json", file=sys.stderr, flush=True)
        try:
            with open(root + known[name], encoding="utf-8") as file:
                shutil.copyfileobj(file, sys.stdout)
        except OSError as exc:
            return _refuse(CONFIG_ERROR, f"{known[name]}: {exc.strerror}")
        sys.stdout.flush()
    return 0


def extract(root: str) -> int:
    """Copy to the export folders that are there; to all where only their parent is."""
    found = [folder for folder in EXPORTS if os.path.isdir(root + folder)]
    if not found:
        return _refuse(USAGE_ERROR, f"extract: nothing is mounted at {next(iter(EXPORTS))}")
    for folder in found:
        parts = EXPORTS[folder]
        wanted = [part for part in parts if os.path.isdir(f"{root}{folder}/{part}")] or list(parts)
        for part in wanted:
            target = f"{root}{folder}/{part}"
            try:
                count = sum(_copy(root + source, target) for source in parts[part])
            except OSError as exc:
                return _refuse(UNAVAILABLE, f"extract: {folder}/{part} cannot be written: {exc.strerror}")
            print(f"extracted {count} files to {folder}/{part}", file=sys.stderr)
    return 0


def _copy(source: str, target: str) -> int:
    """Copy a file into a folder, or a folder's content, following links; return how many files."""
    os.makedirs(target, exist_ok=True)
    if os.path.isfile(source):
        shutil.copyfile(source, os.path.join(target, os.path.basename(source)))
        return 1
    count = 0
    for folder, _, names in os.walk(source):
        place = os.path.normpath(os.path.join(target, os.path.relpath(folder, source)))
        os.makedirs(place, exist_ok=True)
        for name in names:
            shutil.copyfile(os.path.join(folder, name), os.path.join(place, name))
            count += 1
    return count


def run(arguments: list[str], root: str) -> int:
    """Run the application that the manifest names; return its exit status, or 128 and its signal.

    What stays of it when it ends, or when time is up, ends too.
    """
    try:
        with open(root + APP_MANIFEST, encoding="utf-8") as file:
            manifest = json.load(file)
        command = [str(part) for part in manifest["command"].split()]
        timeout_s = _timeout_s(int(manifest.get("timeout") or 0))
    except (OSError, ValueError, KeyError, AttributeError) as exc:
        return _refuse(CONFIG_ERROR, f"{APP_MANIFEST}: cannot be read ({type(exc).__name__})")
    if timeout_s is None:
        return _refuse(CONFIG_ERROR, "HOLOSCAN_TIMEOUT, MONAI_TIMEOUT: whole seconds from 0 on are expected")
    for name, value in (manifest.get("environment") or {}).items():
        os.environ.setdefault(name, str(value))
    if command[0] == "python3":
        command[0] = sys.executable
    os.environ["BEDSIDE_PARENT_PID"] = str(os.getpid())
    watched = {*FORWARDED, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    child = os.fork()
    if not child:
        _become([*command, *arguments], watched)
    with contextlib.suppress(OSError):  # it did so itself, or became the application already
        os.setpgid(child, child)
    status = _watch(child, watched, timeout_s)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    return status


def _timeout_s(stated: int) -> "int | None":
    """Return the time-out: the variable that says other than the manifest, or the manifest's."""
    try:
        said = [int(os.environ.get(name) or stated) for name in ("HOLOSCAN_TIMEOUT", "MONAI_TIMEOUT")]
    except ValueError:
        return None
    chosen = next((value for value in said if value != stated), stated)
    return chosen if chosen >= 0 else None


def _become(command: list[str], blocked: "set[signal.Signals]") -> None:
    """Turn the forked process into the application, in a process group of its own."""
    os.setpgid(0, 0)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)
    try:
        os.execvp(command[0], command)
    except OSError as exc:
        print(f"error: {command[0]}: {exc.strerror}", file=sys.stderr, flush=True)
        os._exit(CONFIG_ERROR)


def _watch(child: int, watched: "set[signal.Signals]", timeout_s: int) -> int:
    """Wait for the application, hand it the signals that come, end it when time is up."""
    ends_at = time.monotonic() + timeout_s if timeout_s else None
    late = False
    while True:
        wait_s = 3600.0 if ends_at is None else max(ends_at - time.monotonic(), 0.0)
        came = signal.sigtimedwait(watched, wait_s)
        if came is None and ends_at is None:
            continue
        if came is None:
            if not late:
                print(f"error: application: not done after {timeout_s} s, ended", file=sys.stderr, flush=True)
            _send(child, signal.SIGKILL if late else signal.SIGTERM)
            late, ends_at = True, time.monotonic() + GRACE_S
        elif came.si_signo != signal.SIGCHLD:
            _send(child, came.si_signo)
        else:
            status = _reap(child)
            if status is not None:
                return FAILED if late else status


def _reap(child: int) -> "int | None":
    """Collect what ended, strays of the container too; return the application's status once it has one."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if not pid:
            return found
        if pid == child:
            found = _status(status)


def _status(status: int) -> int:
    if not os.WIFSIGNALED(status):
        return os.WEXITSTATUS(status)
    name = signal.Signals(os.WTERMSIG(status)).name
    why = ", most likely for lack of memory" if name == "SIGKILL" else ""
    print(f"error: application: ended by {name}{why}", file=sys.stderr, flush=True)
    return 128 + os.WTERMSIG(status)


def _send(child: int, sign: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, sign)


def _refuse(code: int, why: str) -> int:
    print(f"error: {why}", file=sys.stderr, flush=True)
    return code


def cat(names: list[str]) -> int:
    """Print files: mercure finds out what an image is by `cat`, which a small base does not have."""
    for name in names:
        try:
            with open(name, "rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
        except OSError as exc:
            return _refuse(1, f"{name}: {exc.strerror}")
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    invoked = cat if os.path.basename(sys.argv[0]) == "cat" else main
    sys.exit(invoked(sys.argv[1:]))
