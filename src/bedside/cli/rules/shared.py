"""What the commands of rules share: the rules that are meant."""

from pathlib import Path
from typing import TYPE_CHECKING

from bedside.errors import UsageError

if TYPE_CHECKING:
    from bedside.config import Settings
    from bedside.worker.rules import RuleBook


def book_of(settings: "Settings", file: Path | None) -> "RuleBook":
    """Return the rules of a file, or those in force.

    Raises:
        ConfigError: They cannot be read.
        UsageError: The file cannot.
    """
    from bedside.operate.ruletext import read_rules, rulebook

    if file is None:
        return rulebook(settings.rule, settings.pipeline)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise UsageError(f"{file} cannot be read: {why}", hint="bedside rules replay --help") from exc
    return rulebook(read_rules(text), settings.pipeline)
