"""Rules as text and back: what a person pastes into bedside.toml, and what they change to try it out.

Owns the form, TOML's ``[[rule]]``. A text is checked as ``bedside config check`` would: names, types,
keywords, pipelines that there are. Never writes a file: the configuration is somebody's, with comments.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence

from pydantic import ValidationError

from bedside.config import PipelineSettings, RuleSettings
from bedside.domain.pipeline import Pipeline, Rule
from bedside.errors import ConfigError
from bedside.worker.plans import rules_of
from bedside.worker.rules import RuleBook

#: A longer text is no set of rules.
MAX_TEXT = 100_000


def rules_text(rules: Iterable[RuleSettings]) -> str:
    """Return rules as they stand in bedside.toml; what is a default is left out."""
    return "\n".join(_table(rule) for rule in rules)


def read_rules(text: str) -> tuple[RuleSettings, ...]:
    """Return the rules of a text; other tables of a whole bedside.toml are passed over.

    Raises:
        ConfigError: It is not TOML, or a rule has an unknown key, a missing one, or one of another type.
    """
    if len(text) > MAX_TEXT:
        raise ConfigError(f"rules: {len(text)} characters, at most {MAX_TEXT}")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"rules: not TOML: {exc}", hint="each begins with [[rule]]") from exc
    tables = document.get("rule", [])
    if not isinstance(tables, list) or (document and "rule" not in document):
        raise ConfigError("rules: there is no [[rule]]", hint='[[rule]], then name = "…", pipeline = "…"')
    return tuple(_rule(number, table) for number, table in enumerate(tables, start=1))


def rulebook(rules: Sequence[RuleSettings], pipelines: Sequence[PipelineSettings]) -> RuleBook:
    """Return rules ready to judge; no bundle and no MAP is opened for it.

    Raises:
        ConfigError: A rule names no configured pipeline, or its condition is wrong.
    """
    known = _names(pipelines)
    return RuleBook(rules_of(rules, known), known)


def checked_rules(rules: Sequence[RuleSettings], pipelines: Sequence[PipelineSettings]) -> tuple[Rule, ...]:
    """Return rules that were checked. See `rulebook`."""
    return rules_of(rules, _names(pipelines))


def _names(pipelines: Sequence[PipelineSettings]) -> Mapping[str, Pipeline]:
    """Return the pipelines as far as rules ask for them: by name."""
    return {pipeline.name: Pipeline(name=pipeline.name, stages=()) for pipeline in pipelines}


def _rule(number: int, table: object) -> RuleSettings:
    try:
        return RuleSettings.model_validate_json(json.dumps(table, default=str), strict=True)
    except ValidationError as exc:
        said = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'it'}: {e['msg']}" for e in exc.errors())
        raise ConfigError(f"rule {number}: {said}", hint="bedside config schema") from exc


def _table(rule: RuleSettings) -> str:
    lines = ["[[rule]]", f"name = {_word(rule.name)}", f"pipeline = {_word(rule.pipeline)}"]
    if rule.when:
        lines.append(f"when = {_word(rule.when)}")
    if rule.requires:
        lines.append(f"requires = [{', '.join(map(_word, rule.requires))}]")
    if rule.priority:
        lines.append(f"priority = {rule.priority}")
    return "\n".join(lines) + "\n"


def _word(text: str) -> str:
    """Return a TOML basic string: JSON's escapes are among TOML's, which refuses DEL besides."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
