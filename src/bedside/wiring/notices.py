"""From settings to the ways on which people are told, and to what tells and counts."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bedside.errors import ConfigError
from bedside.log import Log
from bedside.ports import Clock
from bedside.ports.mail import Mailer
from bedside.ports.metrics import Metrics, Unmeasured
from bedside.ports.notifier import Notifier
from bedside.wiring.secrets import secret_of

if TYPE_CHECKING:
    from bedside.adapters.notices.mail import MailOptions
    from bedside.config import NotifySettings, Settings
    from bedside.worker.announce import Announcer


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A way that the settings name.

    Attributes:
        name: ``log``, ``topic``, ``webhook`` or ``email``.
        to: Where it leads, for a person; no secret.
        open: Returns it; nothing is sent or asked yet. Raises `ConfigError` where it cannot be meant.
    """

    name: str
    to: str
    open: Callable[[], Notifier]


def channels_of(settings: "Settings", *, clock: Clock, log: Log) -> list[Channel]:
    """Return the ways that settings name, in the order of the schema; none is opened yet."""
    from bedside.config.shown import hidden

    wanted = settings.notify
    found = []
    if wanted.log:
        from bedside.adapters.local.notices import LogNotifier

        found.append(Channel(name="log", to="the log", open=lambda: LogNotifier(log)))
    if wanted.topic_arn:
        found.append(Channel(name="topic", to=wanted.topic_arn, open=lambda: _topic(wanted)))
    if wanted.webhook_url:
        to = str(hidden("notify.webhook_url", wanted.webhook_url))
        found.append(Channel(name="webhook", to=to, open=lambda: _webhook(wanted, clock)))
    if wanted.email_to:
        to = f"{', '.join(wanted.email_to)} through {wanted.smtp_host or 'no server'}:{wanted.smtp_port}"
        found.append(Channel(name="email", to=to, open=lambda: _mail(wanted)))
    return found


def deployment_name(settings: "Settings") -> str:
    """Return what a deployment is called in metrics and notices."""
    return settings.metrics.deployment or settings.deploy.name


def open_announcer(settings: "Settings", *, clock: Clock, log: Log, metrics: Metrics) -> "Announcer":
    """Return what tells people.

    A channel that cannot be meant is said in the log and left out: studies are read nevertheless, and
    ``bedside doctor`` fails.
    """
    from bedside.domain.notice import NoticeKind
    from bedside.worker.announce import Announcer, Announcing

    opened: dict[str, Notifier] = {}
    for channel in channels_of(settings, clock=clock, log=log):
        try:
            opened[channel.name] = channel.open()
        except ConfigError as wrong:
            log("notify.unusable", channel=channel.name, reason=wrong.message, hint=wrong.hint)
    return Announcer(
        Announcing(
            channels=opened,
            deployment=deployment_name(settings),
            kinds=frozenset(NoticeKind(kind) for kind in settings.notify.kinds),
            every_s=settings.notify.digest_s,
            clock=clock,
            log=log,
            metrics=metrics,
        )
    )


def open_metrics(settings: "Settings", *, clock: Clock, log: Log) -> Metrics:
    """Return where measurements go."""
    wanted = settings.metrics
    if wanted.sink == "log":
        from bedside.adapters.local.metrics import LogMetrics

        return LogMetrics(log)
    if wanted.sink == "emf":
        from bedside.adapters.aws.emf import EmfMetrics

        file = Path(wanted.file) if wanted.file else None
        return EmfMetrics(file, deployment=deployment_name(settings), now=clock.now, log=log)
    return Unmeasured()


def _topic(wanted: "NotifySettings") -> Notifier:
    try:
        from bedside.adapters.aws.topic import SnsTopic
    except ImportError as exc:
        raise ConfigError(
            f"notify.topic_arn: a topic needs the Python package {exc.name}",
            hint="pip install 'bedside[aws]'",
        ) from exc
    return SnsTopic(wanted.topic_arn)


def _webhook(wanted: "NotifySettings", clock: Clock) -> Notifier:
    from bedside.adapters.notices.webhook import Webhook

    secret = secret_of("notify", wanted, "webhook_secret")
    return Webhook(wanted.webhook_url, secret, now=clock.now)


def open_mailer(settings: "Settings", log: Log) -> Mailer | None:
    """Return what writes to one person at a time, or None where there is no mail server, or no usable one."""
    if not settings.notify.smtp_host:
        return None
    from bedside.adapters.notices.mailer import SmtpMailer

    try:
        return SmtpMailer(_options(settings.notify))
    except ConfigError as wrong:
        log("notify.unusable", channel="mail to people", reason=wrong.message, hint=wrong.hint)
        return None


def _mail(wanted: "NotifySettings") -> Notifier:
    from bedside.adapters.notices.mail import Mail

    return Mail(_options(wanted))


def _options(wanted: "NotifySettings") -> "MailOptions":
    from bedside.adapters.notices.mail import MailOptions, Security

    return MailOptions(
        sender=wanted.email_from,
        to=wanted.email_to,
        host=wanted.smtp_host,
        port=wanted.smtp_port,
        security=Security(wanted.smtp_security),
        user=wanted.smtp_user,
        password=secret_of("notify", wanted, "smtp_password"),
    )
