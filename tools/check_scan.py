"""Refuses what a security scanner finds in the Terraform modules and the CloudFormation template.

What we keep stands in scan_waivers.toml, by check and resource, with its reason. A waiver for what is no
longer found is refused too, or the list would one day excuse something new. The scanner has an environment of
its own, because it pins what bedside needs newer, and its path is the argument:
``python3 -m venv .bench/scan && .bench/scan/bin/pip install checkov==3.3.30`` and then
``python3 tools/check_scan.py .bench/scan/bin/checkov``.
"""

import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SCANNED = ROOT / "src" / "bedside" / "deploy"
WAIVERS = Path(__file__).with_name("scan_waivers.toml")
#: Both kinds of document must have been read: a scanner that reads nothing finds nothing.
KINDS = frozenset({"terraform", "cloudformation"})


def scan(checkov: str) -> list[Mapping[str, Any]]:
    """Run the scanner, which asks nobody, and return its report of each kind of document."""
    command = [checkov, "-d", str(SCANNED), "--framework", *sorted(KINDS), "--skip-download", "-o", "json"]
    done = subprocess.run([*command, "--compact", "--quiet"], capture_output=True, text=True, check=False)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        said = f"checkov gave no report, exit code {done.returncode}:\n{done.stderr[-2000:]}"
        raise SystemExit(said) from None
    return report if isinstance(report, list) else [report]


def complaints(reports: list[Mapping[str, Any]], waived: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return a line for each finding without a waiver, waiver without a finding, and what was not read."""
    read = {report["check_type"] for report in reports if report.get("summary", {}).get("passed")}
    lines = [f"nothing of kind {kind} was read" for kind in sorted(KINDS - read)]
    found = set()
    for report in reports:
        if broken := report.get("summary", {}).get("parsing_errors"):
            lines.append(f"{report['check_type']}: {broken} files could not be read")
        for finding in report.get("results", {}).get("failed_checks", []):
            found.add((finding["check_id"], finding["resource"]))
            if not waived.get(finding["check_id"], {}).get(finding["resource"], ""):
                where = f"{finding['file_path']}:{finding['file_line_range'][0]}"
                lines.append(f"{where}: {finding['check_id']} {finding['resource']}: {finding['check_name']}")
    lines += [
        f"{WAIVERS.name}: {check} {resource} is no longer found"
        for check, resources in waived.items()
        for resource in resources
        if (check, resource) not in found
    ]
    return lines


def main(checkov: str) -> int:
    """Print what is wrong; 1 if anything is."""
    reports = scan(checkov)
    lines = complaints(reports, tomllib.loads(WAIVERS.read_text(encoding="utf-8")))
    passed = sum(report["summary"]["passed"] for report in reports)
    sys.stdout.write("\n".join(lines or [f"{passed} checks passed"]) + "\n")
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
