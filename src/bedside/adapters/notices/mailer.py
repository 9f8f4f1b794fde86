"""Mail to one person at a time, through the server of the notices."""

import ssl
from dataclasses import replace
from email.message import EmailMessage
from email.utils import localtime, make_msgid

from bedside.adapters.notices.mail import MailOptions, check_options, hand_over
from bedside.ports.mail import PersonalMail


class SmtpMailer:
    """A `bedside.ports.mail.Mailer` by SMTP.

    Args:
        options: The server, and who writes; their ``to`` are the readers of notices, and get nothing of this.
        context: Whom to trust; None is this machine's store.

    Raises:
        ConfigError: See `bedside.adapters.notices.mail.check_options`.
    """

    def __init__(self, options: MailOptions, *, context: ssl.SSLContext | None = None) -> None:
        check_options(replace(options, to=()))
        self._options = options
        self._context = context

    def send(self, mail: PersonalMail) -> None:
        """Hand a mail over. See `bedside.ports.mail.Mailer.send`."""
        message = EmailMessage()
        message["From"] = self._options.sender
        message["To"] = mail.to
        message["Subject"] = mail.subject
        message["Date"] = localtime()
        message["Message-ID"] = make_msgid(domain=self._options.sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notes in answer
        message.set_content(mail.text)
        hand_over(message, replace(self._options, to=(mail.to,)), self._context)
