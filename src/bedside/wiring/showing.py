"""The parts of a deployment that people see and use: accounts, uploads, images, judgements. For the portal.

Each is opened when it is first used, as all parts are: a worker opens none of them.
"""

from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bedside.ports.mail import Mailer
from bedside.wiring.notices import open_mailer
from bedside.wiring.state import State

if TYPE_CHECKING:
    from bedside.catalogue.cataloguer import Cataloguer
    from bedside.dicom.apart import Apart
    from bedside.judging.judge import Judge
    from bedside.people import People
    from bedside.people.federation import Federation
    from bedside.people.second import Seconds
    from bedside.ports.signing_in import SigningIn
    from bedside.uploads.desk import UploadDesk
    from bedside.viewing.images import Images


class Showing(State):
    """What the portal shows a deployment by."""

    @cached_property
    def uploads(self) -> "UploadDesk":
        """Where people hand in studies in parts."""
        from bedside.uploads.desk import UploadDesk

        return UploadDesk(
            uploads=self.records.uploads,
            ledger=self.ledger,
            blobs=self.blobs,
            clock=self.clock,
            limits=self.settings.upload,
            log=self.log,
        )

    @cached_property
    def people(self) -> "People":
        """Who may come in, and how."""
        from bedside.wiring.people import open_people

        return open_people(self.records.accounts, self.clock, self.settings.portal)

    @cached_property
    def signing_in(self) -> "SigningIn | None":
        """Where browsers sign in besides here; None where they do not."""
        from bedside.wiring.identity import open_signing_in

        return open_signing_in(self.settings, self.clock)

    @cached_property
    def seconds(self) -> "Seconds":
        """What accounts are asked for after the password."""
        from bedside.domain.person import PersonRole
        from bedside.people.second import Seconds

        portal = self.settings.portal
        host = urlsplit(portal.address).hostname or ""
        return Seconds(
            self.records.second_factors,
            self.clock,
            needed_by=[PersonRole(role) for role in portal.second_factor_for],
            issuer=f"bedside {host}".strip(),
        )

    @cached_property
    def federation(self) -> "Federation":
        """Accounts of those who sign in there."""
        from bedside.people.federation import Federation

        return Federation(self.records.accounts, self.records.identities, self.clock)

    @cached_property
    def cataloguer(self) -> "Cataloguer":
        """What keeps the catalogue of instances in step with arrivals and results."""
        from bedside.catalogue.cataloguer import Cataloguer
        from bedside.dicom.vendor import silence

        silence()
        return Cataloguer(
            ledger=self.ledger,
            catalogue=self.records.catalogue,
            blobs=self.blobs,
            clock=self.clock,
            log=lambda action, /, **fields: self.log(action, **fields),
        )

    @cached_property
    def images(self) -> "Images":
        """The images of results, prepared for browsers."""
        from bedside.viewing.images import Images

        images = Images(
            ledger=self.ledger,
            blobs=self.blobs,
            folder=self.scratch / "viewing",
            limit_bytes=self.settings.portal.images_bytes,
            known=lambda: self.tenants.known,
            log=self.log,
        )
        self._closing.append(images.close)
        return images

    @cached_property
    def mailer(self) -> Mailer | None:
        """Writes to people: invitations, links for forgotten passwords; None without a mail server."""
        return open_mailer(self.settings, self.log)

    @cached_property
    def decoders(self) -> "Apart":
        """Processes in which frames are decoded for viewers."""
        from bedside.dicom.apart import Apart

        apart = Apart()
        self._closing.append(apart.close)
        return apart

    @cached_property
    def judge(self) -> "Judge":
        """Who takes what people say of results."""
        from bedside.judging.judge import Judge

        def note(action: str, /, **fields: object) -> None:
            self.log(action, **fields)  # whichever log it has by then

        return Judge(
            ledger=self.ledger,
            judgements=self.records.judgements,
            blobs=self.blobs,
            clock=self.clock,
            scratch=self.scratch / "judging",
            log=note,
        )
