"""Chooses the one series of a study that a model reads, and says why each was taken or left.

Owns the order of the questions: the user's expression, then the model's own acceptance, then whether
the series can be read at all. It refuses to guess between two that fit: a model that reads the wrong
phase gives a mask nobody notices is wrong.
"""

from dataclasses import dataclass

from bedside.dicom.scan import Series, StudyScan
from bedside.domain.acceptance import Acceptance, Fit
from bedside.domain.expression import Expression
from bedside.errors import InputRejected


class NoSeries(InputRejected):
    """No series of the study fits."""


class SeveralSeries(InputRejected):
    """More than one series fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesDecision:
    """Whether a series was taken, and why.

    Attributes:
        series_uid: Series Instance UID (0020,000E).
        taken: Whether it is the one.
        reason: A sentence with the values or numbers that decided.
        fit: What decided.
    """

    series_uid: str
    taken: bool
    reason: str
    fit: Fit


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The series to read, and the decision on every series."""

    series: Series
    decisions: tuple[SeriesDecision, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    series: Series
    fit: Fit
    reason: str
    error: InputRejected | None = None

    @property
    def fits(self) -> bool:
        """Whether it is one that may be read."""
        return self.fit in (Fit.MODEL, Fit.SELECTED)


def choose(scan: StudyScan, *, select: Expression | None, acceptance: Acceptance) -> Choice:
    """Choose the only series that the expression matches and the model accepts.

    Raises:
        InputRejected: None fits or several do; the message holds every series' reason. Where exactly
            one was asked for and it cannot be read, the error is the geometry's own, e.g.
            `bedside.dicom.geometry.MissingSlice`.
    """
    verdicts = [_judge(series, select, acceptance) for series in scan.series]
    fitting = [verdict for verdict in verdicts if verdict.fits]
    if len(fitting) == 1:
        taken = fitting[0].series
        return Choice(
            series=taken,
            decisions=tuple(
                SeriesDecision(series_uid=v.series.uid, taken=v.series is taken, reason=v.reason, fit=v.fit)
                for v in verdicts
            ),
        )
    reasons = "; ".join(f"{v.series.uid}: {v.reason}" for v in verdicts)
    if fitting:
        raise SeveralSeries(
            f"{len(fitting)} of {len(verdicts)} series fit, a model reads one: {reasons}",
            hint=_hint(fitting),
        )
    unreadable = [v for v in verdicts if v.error]
    if len(unreadable) == 1 and unreadable[0].error:
        error = unreadable[0].error
        others = f" ({len(verdicts)} series: {reasons})" if len(verdicts) > 1 else ""
        raise type(error)(error.message + others, hint=error.hint) from error
    raise NoSeries(_nothing(scan, reasons), hint="" if verdicts else "submit a CT, MR or PET series")


def _judge(series: Series, select: Expression | None, acceptance: Acceptance) -> _Verdict:
    because, fit = "it fits the model", Fit.MODEL
    try:
        if select is not None:
            verdict = select.evaluate(series.attributes)
            if not verdict.matched:
                return _Verdict(series=series, fit=Fit.NOT_SELECTED, reason=verdict.reason)
            because, fit = verdict.reason, Fit.SELECTED
        elif series.localizer:
            return _Verdict(series=series, fit=Fit.LOCALIZER, reason="a localizer (Image Type)")
        refusal = acceptance.refusal(
            modality=series.modality,
            body_part=series.body_part,
            slices=acceptance.min_slices,
            spacing_mm=_within(acceptance),
        )
        if refusal:
            return _Verdict(series=series, fit=Fit.REFUSED, reason=refusal)
        grid = series.stack
    except InputRejected as exc:
        reason = exc.message.removeprefix(f"series {series.uid}: ")
        return _Verdict(series=series, fit=Fit.UNREADABLE, reason=reason, error=exc)
    refusal = acceptance.refusal(
        modality=series.modality,
        body_part=series.body_part,
        slices=len(grid.frames),
        spacing_mm=grid.spacing_mm,
    )
    note = "; lossy-compressed" if series.lossy else ""
    return _Verdict(series=series, fit=Fit.REFUSED if refusal else fit, reason=refusal or because + note)


def _within(acceptance: Acceptance) -> tuple[float, float, float]:
    """Return a spacing that is accepted, to ask about modality and body part before geometry."""
    least = acceptance.spacing_mm[0] if acceptance.spacing_mm else 1.0
    return (least, least, least)


def _hint(fitting: list[_Verdict]) -> str:
    """Say how to write ``select`` so that one is left, by an attribute that tells them apart."""
    for keyword in ("ConvolutionKernel", "SliceThickness", "SeriesNumber", "SeriesInstanceUID"):
        values = [verdict.series.attributes.get(keyword) for verdict in fitting]
        if None not in values and len(set(values)) == len(values):
            value = values[0]
            written = f'"{value}"' if isinstance(value, str) else f"{value}"
            return f"set select in bedside.toml, e.g. select = '{keyword} == {written}'"
    return "set select in bedside.toml, e.g. select = 'SeriesNumber == 2'"


def _nothing(scan: StudyScan, reasons: str) -> str:
    if scan.series:
        return f"none of {len(scan.series)} series fits: {reasons}"
    kinds: dict[str, int] = {}
    for left in scan.left:
        kinds[left.reason] = kinds.get(left.reason, 0) + 1
    listed = "; ".join(f"{count} × {reason}" for reason, count in sorted(kinds.items())[:5])
    return f"no series of images among {len(scan.left)} files" + (f": {listed}" if listed else "")
