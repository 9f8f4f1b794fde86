"""The control machine's nginx and scripts, taken out of its user data and run here, and an ACME server.

Programs are real where there is one here: nginx, certbot, openssl, pebble. What only the machine has (its AWS
command, systemd, DNS) is replaced by a line of shell that does the same to files in the folder.
"""

import grp
import json
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from conftest import find_program
from serving import eventually

DOMAIN = "bedside.hospital.example"


def heredoc(script: str, target: str) -> str:
    """Return the file that the user data writes there."""
    return script.split(f"cat > {target} <<'END'\n", 1)[1].split("\nEND\n", 1)[0] + "\n"


def self_made(folder: Path, name: str) -> None:
    """Write a certificate of a name, signed by itself."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-noenc", "-days", "1", "-subj", f"/CN={name}", "-addext", f"subjectAltName={name}"),
            *("-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"),
        ],
        check=True,
        capture_output=True,
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def running(*words: str | Path, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


class Machine:
    """The machine's nginx and scripts in a folder, on ports of their own."""

    def __init__(self, script: str, folder: Path, health_port: int, portal_port: int = 9) -> None:
        self.folder, self.http, self.https = folder, free_port(), free_port()
        self.programs = folder / "programs"
        for name in ("tls", "acme", "log", "programs", "kept", "lib"):
            (folder / name).mkdir(parents=True)
        names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        scratch = "".join(f"  {name}_temp_path {folder}/lib/{name};\n" for name in names)
        self.paths = {
            "/etc/bedside/tls": f"{folder}/tls",
            "/etc/bedside/control": f"{folder}/control",
            "/etc/letsencrypt": f"{folder}/letsencrypt",
            "/var/lib/bedside-acme": f"{folder}/acme",
            "/var/lib/letsencrypt": f"{folder}/lib/letsencrypt",
            "/var/log/letsencrypt": f"{folder}/log",
            "/var/log/nginx": f"{folder}/log",
            "/run/nginx.pid": f"{folder}/nginx.pid",
        }
        self.configuration = folder / "nginx.conf"
        configured = self._here(heredoc(script, "/etc/nginx/nginx.conf"))
        for real, ours in {
            "user nginx;\n": "",
            "http {\n": f"http {{\n{scratch}",
            "listen 80 ": f"listen 127.0.0.1:{self.http} ",
            "listen 443 ": f"listen 127.0.0.1:{self.https} ",
            "127.0.0.1:8081": f"127.0.0.1:{health_port}",
            "127.0.0.1:8080": f"127.0.0.1:{portal_port}",
        }.items():
            assert real in configured
            configured = configured.replace(real, ours)
        self.configuration.write_text(configured)
        self.nginx = str(find_program("nginx"))
        # Programs of the machine that are not here: what they do is done by simpler ones.
        self.program("nginx", f'exec {self.nginx} -c {self.configuration} "$@"')
        self.program("systemctl", f"exec {self.nginx} -c {self.configuration} -s reload")
        self.program(
            "aws", 'for last; do :; done; from=$4; cp "${from/s3:\\/\\//$KEPT/}" "${last/s3:\\/\\//$KEPT/}"'
        )
        (folder / "kept" / "alone-bucket" / "control").mkdir(parents=True)
        self.certificate = folder / "certificate.sh"
        self.certificate.write_text(self._here(heredoc(script, "/usr/local/sbin/bedside-certificate")))
        # A group of ours stands for the user that bedside runs as.
        group = grp.getgrgid(os.getegid()).gr_name
        told = heredoc(script, "/etc/bedside/control").replace(
            "key_reader='bedside'", f"key_reader='{group}'"
        )
        (folder / "control").write_text(told)

    def program(self, name: str, body: str) -> None:
        (self.programs / name).write_text(f"#!/bin/bash\n{body}\n")
        (self.programs / name).chmod(0o755)

    def certify(self, *words: str, trusting: Path | None = None, points: str = "") -> str:
        """Run the script of the certificate and return what it says."""
        self.program("getent", f"echo '{points or '203.0.113.9'} STREAM x'")
        path = f"{self.programs}{os.pathsep}{os.environ['PATH']}"
        variables = {"PATH": path, "KEPT": str(self.folder / "kept"), "HOME": str(self.folder)}
        if trusting:
            variables["REQUESTS_CA_BUNDLE"] = str(trusting)
        done = subprocess.run(
            ["bash", self.certificate, *words], env=variables, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def serving(self) -> Iterator[None]:
        with running(self.nginx, "-c", self.configuration, "-g", "daemon off;"):
            assert eventually(lambda: listens(self.https), within_s=10), "nginx does not start"
            yield

    def get(
        self,
        path: str,
        *,
        name: str = DOMAIN,
        authority: Path | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        trust = ssl.create_default_context(cafile=str(authority or self.folder / "tls" / "fullchain.pem"))
        with httpx.Client(verify=trust, timeout=10) as client:
            url = f"https://127.0.0.1:{self.https}{path}"
            return client.get(
                url, headers={"Host": name, **(headers or {})}, extensions={"sni_hostname": name}
            )

    def post(self, path: str, form: Mapping[str, str]) -> httpx.Response:
        trust = ssl.create_default_context(cafile=str(self.folder / "tls" / "fullchain.pem"))
        with httpx.Client(verify=trust, timeout=10) as client:
            url = f"https://127.0.0.1:{self.https}{path}"
            return client.post(url, data=form, headers={"Host": DOMAIN}, extensions={"sni_hostname": DOMAIN})

    def _here(self, text: str) -> str:
        for real, ours in self.paths.items():
            text = text.replace(real, ours)
        return text


@contextmanager
def acme_server(folder: Path, challenge_port: int) -> Iterator[tuple[str, Path, int]]:
    """Run pebble; yield its directory, the certificate it is trusted by, and its port of management."""
    self_made(folder, "IP:127.0.0.1")
    port, management, dns, names = (free_port() for _ in range(4))
    configuration = {
        "pebble": {
            "listenAddress": f"127.0.0.1:{port}",
            "managementListenAddress": f"127.0.0.1:{management}",
            "certificate": str(folder / "fullchain.pem"),
            "privateKey": str(folder / "privkey.pem"),
            "httpPort": challenge_port,
            "tlsPort": 1,
        }
    }
    (folder / "pebble.json").write_text(json.dumps(configuration))
    quick = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
    resolver = ("-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-dns01", f"127.0.0.1:{dns}")
    off = ("-http01", "", "-https01", "", "-tlsalpn01", "", "-management", f"127.0.0.1:{names}")
    words = ("pebble", "-config", folder / "pebble.json", "-dnsserver", f"127.0.0.1:{dns}", "-strict")
    with ExitStack() as stack:
        stack.enter_context(running("pebble-challtestsrv", *resolver, *off))
        stack.enter_context(running(*words, env=quick))
        assert eventually(lambda: listens(port) and listens(management), within_s=15), "pebble does not start"
        yield f"https://127.0.0.1:{port}/dir", folder / "fullchain.pem", management
