"""Bulletins as mails, by SMTP with TLS.

Owns one connection per bulletin: they are rare, and a server ends what is idle. A password is sent over
TLS only.
"""

import smtplib
import ssl
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from enum import StrEnum

from bedside.adapters.notices.here import is_here
from bedside.domain.notice import Bulletin
from bedside.errors import BedsideError, ConfigError, Unavailable

#: For each answer of the server.
TIMEOUT_S = 20.0
_HINT = "bedside notify test --channel email"


class Security(StrEnum):
    """How a connection is kept from others."""

    STARTTLS = "starttls"  # begins in clear text and is encrypted before anything is said (port 587)
    TLS = "tls"  # encrypted from the first byte (port 465)
    NONE = "none"  # to a server of this machine only


@dataclass(frozen=True, slots=True, kw_only=True)
class MailOptions:
    """Who writes to whom, and through which server.

    Attributes:
        sender: Address that mails come from.
        to: Addresses that they go to.
        host: Of the SMTP server.
        port: Of it.
        security: How the connection is kept from others.
        user: Name to log in with; empty is without.
        password: Its password.
    """

    sender: str
    to: tuple[str, ...]
    host: str
    port: int = 587
    security: Security = Security.STARTTLS
    user: str = ""
    password: str = field(default="", repr=False)


class Mail:
    """Mails through one server.

    Args:
        options: Who writes to whom.
        context: Whom to trust; None is this machine's store.

    Raises:
        ConfigError: An address or the server is none, half of a login is missing, or it would travel
            in clear text.
    """

    def __init__(self, options: MailOptions, *, context: ssl.SSLContext | None = None) -> None:
        if options.host and not options.to:
            raise ConfigError("notify.email_to: is empty, so no mail can be sent", hint="bedside config show")
        check_options(options)
        self._options = options
        self._context = context

    def send(self, bulletin: Bulletin) -> None:
        """Hand a bulletin over. See `bedside.ports.notifier.Notifier.send`."""
        hand_over(self._message(bulletin), self._options, self._context)

    def _message(self, bulletin: Bulletin) -> EmailMessage:
        options = self._options
        message = EmailMessage()
        message["From"] = options.sender
        message["To"] = ", ".join(options.to)
        message["Subject"] = bulletin.subject
        message["Date"] = format_datetime(bulletin.last_at)
        # The same for every try, so that a reader's program shows it once.
        message["Message-ID"] = f"<{bulletin.id}@{options.sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notes in answer
        message.set_content(bulletin.text)
        return message


def check_options(options: MailOptions) -> None:
    """Refuse what cannot be meant.

    Raises:
        ConfigError: An address or the server is none, half of a login is missing, or it would travel in
            clear text.
    """
    if not options.host:
        raise ConfigError("notify.smtp_host: is empty, so no mail can be sent", hint="bedside config show")
    if bool(options.user) != bool(options.password):
        missing = "notify.smtp_password" if options.user else "notify.smtp_user"
        raise ConfigError(f"{missing}: is empty, but the other is set", hint="bedside config show")
    for key, address in (("email_from", options.sender), *(("email_to", to) for to in options.to)):
        _check(address, key)
    if options.security is Security.NONE and not is_here(options.host):
        raise ConfigError(
            f"notify.smtp_security: none is for this machine only, not for {options.host}",
            hint="bedside config show",
        )


def hand_over(message: EmailMessage, options: MailOptions, context: ssl.SSLContext | None) -> None:
    """Hand a message to the server, for all that the options name.

    Raises:
        Unavailable: It was not taken now; another try may do.
        ConfigError: It is refused and will be again.
    """
    try:
        with _connected(options, context) as server:
            if options.user:
                server.login(options.user, options.password)
            refused = server.send_message(message, options.sender, list(options.to))
    except smtplib.SMTPException as exc:
        raise _ours(exc, options.host) from exc
    except (OSError, ssl.SSLError) as exc:
        raise Unavailable(
            f"e-mail: {options.host}:{options.port} was not reached ({type(exc).__name__})", hint=_HINT
        ) from exc
    if refused:  # the server took it for the others
        raise ConfigError(
            f"e-mail: {options.host} refuses {len(refused)} of {len(options.to)} addresses", hint=_HINT
        )


def _connected(options: MailOptions, context: ssl.SSLContext | None) -> smtplib.SMTP:
    context = context or ssl.create_default_context()
    if options.security is Security.TLS:
        return smtplib.SMTP_SSL(options.host, options.port, timeout=TIMEOUT_S, context=context)
    server = smtplib.SMTP(options.host, options.port, timeout=TIMEOUT_S)
    if options.security is Security.STARTTLS:
        try:
            server.starttls(context=context)
        except BaseException:
            server.close()
            raise
    return server


def _ours(exc: smtplib.SMTPException, host: str) -> BedsideError:
    """Return a server's refusal as one of ours: from 500 on it stays so (RFC 5321, 4.2.1)."""
    if isinstance(exc, smtplib.SMTPNotSupportedError):
        return ConfigError(f"e-mail: {host} offers no TLS, or no login", hint=_HINT)
    codes = [exc.smtp_code] if isinstance(exc, smtplib.SMTPResponseException) else []
    if isinstance(exc, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in exc.recipients.values()]
    if codes and all(code >= 500 for code in codes):
        what = "the login" if isinstance(exc, smtplib.SMTPAuthenticationError) else "the mail"
        return ConfigError(f"e-mail: {host} refuses {what} ({codes[0]})", hint=_HINT)
    return Unavailable(
        f"e-mail: {host} does not take the mail now ({codes[0] if codes else type(exc).__name__})", hint=_HINT
    )


def _check(address: str, key: str) -> None:
    try:
        fine = bool(Address(addr_spec=address).domain)
    except (ValueError, IndexError):  # what the standard library raises for a broken address
        fine = False
    if not fine or not address.isascii():
        raise ConfigError(f"notify.{key}: {address!r} is no address", hint="bedside config show")
