"""One deployment on AWS, opened: its account, its working copy, and Terraform in it."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bedside.config import DeploySettings
from bedside.deploy import workspace
from bedside.deploy.checks import Finding, findings
from bedside.deploy.record import Record
from bedside.deploy.runner import Held, Terraform, find_terraform
from bedside.deploy.signing_in import names_issuer
from bedside.deploy.software import Software, build_software
from bedside.deploy.variables import record_key, state_bucket, state_key, tfvars
from bedside.deploy.waker import waker_zip
from bedside.deploy.workspace import BACKEND, VARIABLES, RemoteState, prepare, workspace_folder
from bedside.errors import ConfigError, NotFound
from bedside.ports.cloud import Cloud
from bedside.ports.datastores import Datastore, Datastores

State = Literal["s3", "local"]
#: Relative, because Terraform remembers it, and another machine has another folder.
WAKER = "waker.zip"
#: Variable that names the archive of the machines' software.
SOFTWARE = "node_archive_key"
#: Type under which the record has datastores, which Terraform does not know.
DATASTORE = "healthimaging_datastore"
#: Stands for the id of a datastore that is yet to be made, so that a plan can be shown before.
NO_DATASTORE = "0" * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A deployment and where it is made.

    Attributes:
        settings: The section ``[deploy]``.
        cloud: The account, in the deployment's region.
        datastores: Of images, in that account and region.
        base: Folder of the configuration.
        environment: Of this process; Terraform finds credentials in it as boto3 does.
        state: Where the state is; None is where it was, and S3 the first time.
        configuration: The file that machines read too, as bytes.
        modules: The root module; None is the package's.
        only_here: Pipelines that name a release in a folder of this machine.
    """

    settings: DeploySettings
    cloud: Cloud
    datastores: Datastores
    base: Path
    environment: Mapping[str, str]
    state: State | None = None
    configuration: bytes = field(default=b"", repr=False)
    modules: Path | None = None
    only_here: Sequence[str] = ()

    @property
    def folder(self) -> Path:
        """The working copy."""
        return workspace_folder(self.base, self.settings.name)

    def checks(self) -> Iterator[Finding]:
        """Ask AWS whether this can work.

        Raises:
            ConfigError: The file of authorities cannot be used, or as `findings` says.
        """
        self.ledger_ca()
        yield from findings(self.cloud, self.settings)
        for pipeline in self.only_here:
            yield Finding(
                ok=None,  # there may be no registry yet to push it to
                text=f"pipeline {pipeline} names a release in a folder of this machine, which no other has",
                mend="bedside package BUNDLE --push REFERENCE, then name that as the pipeline's map",
            )

    def tenant_buckets(self) -> list[str]:
        """Return the buckets that tenants have for themselves, by their tag: Terraform does not know them."""
        form = re.compile(rf"arn:[^:]+:s3:::({re.escape(self.settings.name)}-t-[0-9a-f]+-(?:input|output))")
        found = (form.fullmatch(item.arn) for item in self.cloud.tagged(self.settings.name))
        return sorted(match[1] for match in found if match)

    def open(self, software: Software | None) -> Terraform:
        """Write the working copy and open the state, its bucket made where there is none.

        Args:
            software: As `software` made it.

        Raises:
            ConfigError: Terraform is missing or too old, or AWS refuses.
        """
        return self._open(software.key if software else "", make=True)

    def reopen(self) -> Terraform:
        """Open what was applied before.

        Raises:
            NotFound: Nothing was applied from here, and there is no state in S3 either.
        """
        return self._open(self._key_before(), make=False)

    def applied(self) -> Terraform:
        """Open what is there.

        Raises:
            NotFound: As `reopen` says, or it was planned and never applied.
        """
        terraform = self.reopen()
        if not terraform.held():
            raise NotFound(
                f"deployment {self.settings.name!r} in {self.cloud.region} is empty: it was not applied yet",
                hint="bedside deploy apply",
            )
        return terraform

    def remote(self) -> RemoteState | None:
        """Return where the state is in S3; None where it is in the working copy."""
        if (self.state or self._before() or "s3") == "local":
            return None
        region = self.cloud.region
        bucket = state_bucket(self.settings, account=self.cloud.caller().account, region=region)
        return RemoteState(bucket=bucket, key=state_key(self.settings.name), region=region)

    def record(self) -> Record:
        """Return the record of what was made, in S3 too where the state is there."""
        remote = self.remote()
        if remote is None:
            return Record(folder=self.folder, cloud=self.cloud)
        return Record(
            folder=self.folder, cloud=self.cloud, bucket=remote.bucket, key=record_key(self.settings.name)
        )

    @property
    def makes_datastore(self) -> bool:
        """Whether results go to a datastore that is the deployment's own."""
        return self.settings.archive and not self.settings.datastore_id

    def lacks_datastore(self) -> bool:
        """Whether that datastore is still to be made."""
        return self.makes_datastore and self._datastore() is None

    def make_datastore(self) -> None:
        """Make the deployment's own datastore, and record it at once: nothing else knows of it."""
        made = self.datastores.make(self.settings.name)
        self.record().add([Held(address=DATASTORE, type=DATASTORE, id=made.id, arn=made.arn)])

    def own_datastores(self) -> list[Held]:
        """Return its datastores, by record and by tag, whether the settings still want one or not.

        By tag, because making one takes minutes, and whoever was cut off meanwhile has recorded nothing.
        """
        recorded = [item for item in self.record().made() if item.type == DATASTORE]
        known = {item.arn for item in recorded}
        return recorded + [
            Held(address=DATASTORE, type=DATASTORE, id=item.arn.rpartition("/")[2], arn=item.arn)
            for item in self.cloud.tagged(self.settings.name)
            if ":medical-imaging:" in item.arn and item.arn not in known
        ]

    def _datastore(self) -> Datastore | None:
        return self.datastores.find(self.settings.name)

    def software(self) -> Software | None:
        """Make the archive that machines install; None where the settings or the modules bring another."""
        if self.settings.node_archive_key or not declares(self.modules or workspace.MODULES, SOFTWARE):
            return None
        made = build_software(self.folder / "software", self.configuration, self.ledger_ca())
        for old in made.path.parent.glob("*.tar"):  # a hundred megabytes for each change
            if old != made.path:
                old.unlink()
        return made

    def ledger_ca(self) -> bytes:
        """Return the authorities that `ledger_ca` names; empty where it names none.

        Raises:
            ConfigError: The file is not there, or holds no certificate.
        """
        if not self.settings.ledger_ca:
            return b""
        path = self.base / self.settings.ledger_ca
        try:
            content = path.read_bytes()
        except OSError as exc:
            raise ConfigError(f"deploy.ledger_ca: {path} cannot be read: {exc.strerror}") from exc
        if b"-----BEGIN CERTIFICATE-----" not in content:
            raise ConfigError(f"deploy.ledger_ca: {path} holds no certificate in PEM form")
        return content

    def _variables(self, key: str) -> dict[str, object]:
        given = tfvars(self.settings, region=self.cloud.region)
        if self.makes_datastore:
            found = self._datastore()
            given["datastore_id"] = found.id if found else NO_DATASTORE
        given["asleep"] = asleep(self.cloud, self.settings)
        given["machine_identity"] = not names_issuer(self.configuration)
        return {**given, "waker_zip": WAKER, **({SOFTWARE: key} if key else {})}

    def _open(self, key: str, *, make: bool) -> Terraform:
        program = find_terraform(self.environment)
        remote = self.remote()
        if remote is not None and make:
            self.cloud.ensure_state_bucket(remote.bucket)
        elif not make and not self._begun(remote):
            raise NotFound(
                f"no deployment {self.settings.name!r} in {self.cloud.region} is known here",
                hint="bedside deploy apply",
            )
        prepare(self.folder, variables=self._variables(key), state=remote, modules=self.modules)
        waker_zip(self.folder / WAKER)
        terraform = Terraform(
            program=program,
            folder=self.folder,
            environment=self.environment,
            who=self.cloud.caller().arn,
        )
        terraform.init()
        return terraform

    def _begun(self, remote: RemoteState | None) -> bool:
        if remote is None:
            return self.folder.is_dir()
        return self.cloud.exists(f"arn:aws:s3:::{remote.bucket}") is True

    def _key_before(self) -> str:
        """Return the key of the archive that machines install now; empty where it is not known here."""
        try:
            document = json.loads((self.folder / VARIABLES).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return ""
        return str(document.get(SOFTWARE, ""))

    def _before(self) -> State | None:
        """Return where the working copy keeps its state, or None where there is none yet."""
        try:
            document = json.loads((self.folder / BACKEND).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return "local" if "local" in document["terraform"]["backend"] else "s3"


def asleep(cloud: Cloud, settings: DeploySettings) -> list[str]:
    """Return the pools whose night it is: an apply must not wake them.

    AWS is asked and no clock, because the schedule is AWS's: what it has done is what counts.
    """
    found = []
    for pool in settings.pools if settings.night else ():
        with suppress(NotFound):  # yet to be made
            if cloud.group(f"{settings.name}-{pool}").max == 0:
                found.append(pool)
    return found


def declares(modules: Path, variable: str) -> bool:
    """Whether a root module takes a variable."""
    begin = f'variable "{variable}"'
    return any(begin in file.read_text(encoding="utf-8") for file in modules.glob("*.tf"))


def ids(held: Sequence[Held], kind: str) -> list[str]:
    """Return the ids of the resources of one type: a bucket's name, a queue's URL, a group's name."""
    return [item.id for item in held if item.type == kind]
