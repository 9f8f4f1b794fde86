"""``bedside config``: what is in force and why, and whether it can work.

Owns the words; the reading is `bedside.config` and the checks are `bedside.cli.checks`, which
``doctor`` uses too.
"""

import json
from pathlib import Path

import click

from bedside.cli.base import Command, Group, config_option, json_option, load_settings
from bedside.cli.output import coloured, note, write_json, write_table


@click.group(cls=Group, examples=["bedside config show", "bedside config check"])
def config() -> None:
    """Show and check the configuration."""


@config.command(cls=Command, examples=["bedside config show", "bedside config show --json | jq '.settings'"])
@config_option
@json_option
def show(config_path: Path | None, as_json: bool) -> None:
    """Print every setting with its value and where the value came from; passwords are masked."""
    from bedside.config import shown

    loaded = load_settings(config_path)
    lines = shown(loaded.settings, loaded.sources)
    if as_json:
        write_json(
            {
                "file": str(loaded.path) if loaded.path else None,
                "settings": [{"key": s.key, "value": s.value, "source": s.source} for s in lines],
            }
        )
        return
    write_table(
        ("key", "value", "source"),
        [(line.key, json.dumps(line.value, ensure_ascii=False), line.source) for line in lines],
    )


@config.command(
    cls=Command, examples=["bedside config check", "bedside config check -c /etc/bedside/bedside.toml"]
)
@config_option
@json_option
def check(config_path: Path | None, as_json: bool) -> int:
    """Check that bundles load, rules make sense and the ledger answers; exits with 3 where not."""
    from bedside.cli.checks import Status, configuration

    loaded = load_settings(config_path)
    findings = list(configuration(loaded))
    failed = [finding for finding in findings if finding.status is Status.FAIL]
    if as_json:
        write_json({"ok": not failed, "findings": [finding.as_json() for finding in findings]})
    else:
        for finding in findings:
            click.echo(finding.line())
            if finding.mend:
                click.echo(f"      mend: {finding.mend}")
    if not as_json:
        where = loaded.path or "the defaults (no bedside.toml here)"
        note(
            coloured(f"{where}: {len(failed)} of {len(findings)} checks failed", "red" if failed else "green")
        )
    return 3 if failed else 0


@config.command(
    cls=Command,
    examples=["bedside config schema", "bedside config schema > bedside.schema.json"],
)
def schema() -> None:
    """Print the JSON schema of bedside.toml, for editors that complete and check while you type."""
    from bedside.config import Settings

    write_json(Settings.model_json_schema())
