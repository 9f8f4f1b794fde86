"""What the documentation says of the Terraform modules: its examples are valid, its table is the modules'."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bedside.deploy.workspace import MODULES
from clouds import REGION
from terraform import Terraform, copy_of_modules, environment

ALONE = {folder.name: folder for folder in sorted((MODULES / "modules").iterdir()) if folder.is_dir()}
VARIABLE = re.compile(r'^variable "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
OUTPUT = re.compile(r'^output "(\w+)"', re.MULTILINE)


@pytest.mark.needs("terraform")
def test_each_module_has_an_example_of_its_use_alone_which_is_valid(repository: Path, tmp_path: Path) -> None:
    page = (repository / "docs" / "terraform.md").read_text(encoding="utf-8")
    examples = re.findall(r"```hcl\n(.*?)```", page, re.DOTALL)
    shown = {
        name: block for block in examples for name in re.findall(r'^module "(\w+)"', block, re.MULTILINE)
    }
    assert set(shown) == set(ALONE)
    for name, block in shown.items():
        assert "module." not in block.partition("{")[2], f"{name} is not shown alone"
    copy_of_modules(tmp_path / "bedside-terraform")
    (tmp_path / "main.tf").write_text("\n".join(examples), encoding="utf-8")
    terraform = Terraform(folder=tmp_path, environment=environment(tmp_path, {"AWS_REGION": REGION}))
    assert terraform.run("fmt", "-check", "main.tf", check=False).stdout == ""
    terraform.run("init", "-input=false", "-backend=false")
    done = json.loads(terraform.run("validate", "-json", check=False).stdout)
    assert (done["valid"], done["diagnostics"]) == (True, [])


def test_the_command_that_copies_the_modules_copies_them(repository: Path, tmp_path: Path) -> None:
    page = (repository / "docs" / "terraform.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"```bash\n(cp .*?)\n```", page, re.DOTALL)
    folder = str(Path(sys.executable).parent)
    subprocess.run(["bash", "-c", command], cwd=tmp_path, env={"PATH": f"{folder}:/usr/bin:/bin"}, check=True)
    assert (tmp_path / "bedside-terraform" / "modules" / "control" / "main.tf").is_file()


def test_the_table_names_what_each_module_needs_and_gives(repository: Path) -> None:
    page = (repository / "docs" / "aws.md").read_text(encoding="utf-8")
    section = page.partition("\n## Terraform modules\n")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line[:2] == "| "
    ]
    told = {row[0].strip("`"): row[2:4] for row in rows if row[0].startswith("`")}
    assert set(told) == set(ALONE)
    for name, (variables, outputs) in told.items():
        text = (ALONE[name] / "variables.tf").read_text(encoding="utf-8")
        declared = {found[1]: "\n  default " in found[2] for found in VARIABLE.finditer(text)}
        named = set(re.findall(r"`(\w+)`", variables))
        assert named <= set(declared), f"{name} has no {named - set(declared)}"
        required = {variable for variable, has_default in declared.items() if not has_default}
        assert required - {"name", "region"} <= named, f"{name} needs {required - named} too"
        given = set(OUTPUT.findall((ALONE[name] / "outputs.tf").read_text(encoding="utf-8")))
        assert set(re.findall(r"`(\w+)`", outputs)) <= given, name
