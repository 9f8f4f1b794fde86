"""A pool's release disk as a machine has it: ``take`` when it starts, ``leave`` before it ends.

Runs as root by the image's own Python (3.9), before anything is installed: with its standard library alone.
The disk holds what a start would fetch again (releases, docker's layers, packages, bedside itself), nothing
else, so whatever is wrong with it is answered by going on without, or by making it anew. Owns that order, and
that nothing is formatted that is not ours; `node.sh` owns what lies where on it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

SETTINGS = Path("/etc/bedside/disk")
DOCKER = Path("/etc/docker/daemon.json")
PLACE = Path("/var/lib/bedside-disk")
DEVICES = Path("/dev/disk/by-id")
METADATA = "http://169.254.169.254/latest"
#: The filesystem's name says that it is ours, to be thrown away where it is of no use.
LABEL = "bedside"
#: The machine before may just be leaving; longer than that another one works with it.
FREE_S, ATTACHED_S = 20, 30
#: More of it in use is old releases: the next one would not fit beside them.
MOST_USED = 0.5
BUSY = {"VolumeInUse", "IncorrectState", "IncorrectInstanceState", "RequestLimitExceeded"}


def take() -> bool:
    """Attach the disk of this zone and let docker work on it; return whether there is one now."""
    settings = json.loads(SETTINGS.read_text())
    volume = settings["volumes"].get(metadata("placement/availability-zone"))
    device = attached(volume, settings) if volume else None
    if device is None:
        say("no disk here: everything is fetched anew")
        return False
    if not mounted(device):
        return False
    if use(PLACE) > MOST_USED:
        say("more than half of it is used, by old releases or because release_disk_gb is small: made anew")
        run("umount", PLACE)
        if not (made(device) and mount(device)):
            return False
    if not docker_on(PLACE / "docker"):
        say("docker does not start on it: made anew")
        run("systemctl", "stop", "docker.socket", "docker.service")
        run("umount", PLACE)
        if not (made(device) and mount(device) and docker_on(PLACE / "docker")):
            docker_on(None)
            run("umount", PLACE)
            return False
    forget_containers()
    return True


def leave() -> bool:
    """Unmount and detach it, so that the next machine finds it whole and free."""
    if not PLACE.is_mount():
        return True
    settings = json.loads(SETTINGS.read_text())
    forget_containers()
    # The socket too, or the next call of docker would start it again on an empty folder.
    run("systemctl", "stop", "docker.socket", "docker.service")
    for _ in range(5):
        if run("umount", PLACE) == 0:
            break
        time.sleep(1)
    else:
        say("cannot be unmounted: it goes with the machine, and its journal mends it")
        return False
    volume = settings["volumes"][metadata("placement/availability-zone")]
    refused = ec2("DetachVolume", settings, VolumeId=volume)
    if refused:  # the machine's end detaches it as well
        say("is not detached: " + refused)
    return True


def attached(volume: str, settings: dict[str, Any]) -> Path | None:
    """Return its device once it is there, or None where it is another machine's or is refused."""
    device = DEVICES / ("nvme-Amazon_Elastic_Block_Store_" + volume.replace("-", ""))
    began = time.monotonic()
    while not device.exists():
        refused = ec2(
            "AttachVolume", settings, VolumeId=volume, InstanceId=metadata("instance-id"), Device="/dev/sdf"
        )
        if not refused:
            break
        if refused not in BUSY or time.monotonic() - began > FREE_S:
            say(volume + " is not attached: " + refused)
            return None
        time.sleep(1)
    began = time.monotonic()
    while not device.exists():
        if time.monotonic() - began > ATTACHED_S:
            say(volume + " was attached, and its device does not appear")
            return None
        time.sleep(0.2)
    return device


def mounted(device: Path) -> bool:
    """Mount it, with a filesystem made first where it has none at all."""
    probed = subprocess.run(
        ["blkid", "--probe", "--output", "export", str(device)], stdout=subprocess.PIPE, check=False
    )
    found = dict(line.split("=", 1) for line in probed.stdout.decode().splitlines() if "=" in line)
    if probed.returncode == 2 and not found:
        return made(device) and mount(device)
    if probed.returncode or found.get("LABEL") != LABEL:
        say("holds something else, which is not touched: " + found.get("TYPE", "unreadable"))
        return False
    if mount(device):
        run("xfs_growfs", PLACE)  # where release_disk_gb was raised
        return True
    say("cannot be mounted: made anew")
    return made(device) and mount(device)


def made(device: Path) -> bool:
    """Make a filesystem, over whatever is there."""
    return run("mkfs.xfs", "-q", "-f", "-L", LABEL, device) == 0


def mount(device: Path) -> bool:
    """Mount it; its journal mends what a machine left that ended without a word."""
    PLACE.mkdir(parents=True, exist_ok=True)
    return run("mount", "-t", "xfs", "-o", "noatime", device, PLACE) == 0


def use(place: Path) -> float:
    """Return the share of a filesystem that is used."""
    answer = subprocess.run(["df", "--output=pcent", str(place)], stdout=subprocess.PIPE, check=False)
    words = answer.stdout.decode().split()
    return int(words[-1].rstrip("%")) / 100 if words else 0.0


def docker_on(folder: Path | None) -> bool:
    """Let docker keep everything in a folder, or where it usually does; return whether it runs there."""
    settings = json.loads(DOCKER.read_text()) if DOCKER.exists() else {}
    settings.pop("data-root", None)
    if folder is not None:
        settings["data-root"] = str(folder)
        # Else newer ones keep layers in containerd's own folder, which is not on this disk.
        settings["features"] = {**settings.get("features", {}), "containerd-snapshotter": False}
    DOCKER.parent.mkdir(parents=True, exist_ok=True)
    DOCKER.write_text(json.dumps(settings))
    return run("systemctl", "restart", "docker.service") == 0 and run("docker", "info") == 0


def forget_containers() -> None:
    """Remove containers: what one wrote was a study's, and stays on no disk."""
    listed = subprocess.run(
        ["docker", "ps", "--all", "--quiet"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    )
    left = listed.stdout.decode().split()
    if left:
        run("docker", "rm", "--force", "--volumes", *left)


def run(*words: str | Path) -> int:
    """Run a program; what it complains of goes to the log."""
    return subprocess.run([str(word) for word in words], stdout=subprocess.DEVNULL, check=False).returncode


def say(words: str) -> None:
    """Write a line of the log."""
    print("bedside: release disk: " + words, file=sys.stderr)  # noqa: T201 - the log of a set-up


def metadata(path: str) -> str:
    """Return an answer of the machine's metadata service."""
    return fetch("/meta-data/" + path, {"X-aws-ec2-metadata-token": token()})


def token() -> str:
    """Return a token of the metadata service."""
    return fetch("/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"}, "PUT")


def fetch(path: str, headers: dict[str, str], method: str = "GET") -> str:
    """Ask the metadata service."""
    asked = urllib.request.Request(METADATA + path, headers=headers, method=method)  # noqa: S310 - a constant
    with urllib.request.urlopen(asked, timeout=5) as answer:  # noqa: S310
        return str(answer.read().decode())


def ec2(action: str, settings: dict[str, Any], **parameters: str) -> str:
    """Ask EC2 for something as this machine's role; return the code of its refusal, empty where it agrees.

    Signature Version 4: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
    """
    role = metadata("iam/security-credentials/").split()[0]
    who = json.loads(metadata("iam/security-credentials/" + role))
    url = settings.get("endpoint") or "https://ec2." + settings["region"] + "." + metadata("services/domain")
    body = urllib.parse.urlencode({"Action": action, "Version": "2016-11-15", **parameters})
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "host": urllib.parse.urlsplit(url).netloc,
        "x-amz-date": now,
        "x-amz-security-token": who["Token"],
    }
    names = ";".join(headers)
    lines = "".join(name + ":" + value + "\n" for name, value in headers.items())
    asked = "\n".join(["POST", "/", "", lines, names, hashlib.sha256(body.encode()).hexdigest()])
    scope = "/".join([now[:8], settings["region"], "ec2", "aws4_request"])
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(asked.encode()).hexdigest()])
    key = ("AWS4" + who["SecretAccessKey"]).encode()
    for part in [*scope.split("/"), text]:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    credential = who["AccessKeyId"] + "/" + scope
    signed = ", SignedHeaders=" + names + ", Signature=" + key.hex()
    headers["authorization"] = "AWS4-HMAC-SHA256 Credential=" + credential + signed
    try:
        told = urllib.request.Request(url, body.encode(), headers)  # noqa: S310 - a constant
        with urllib.request.urlopen(told, timeout=10):  # noqa: S310
            return ""
    except urllib.error.HTTPError as refused:
        return (refused.read().decode().partition("<Code>")[2].partition("</Code>")[0]) or str(refused.code)
    except OSError as failed:
        return type(failed).__name__


if __name__ == "__main__":
    sys.exit(0 if {"take": take, "leave": leave}[sys.argv[1]]() else 1)
