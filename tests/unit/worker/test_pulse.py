"""Whether the rounds go on."""

from bedside.worker.pulse import Condition, Pulse


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_from_starting_to_stuck() -> None:
    clock = Clock()
    pulse = Pulse(clock, stuck_s=60)
    assert (pulse.look().condition, pulse.look().round_s) == (Condition.STARTING, None)
    pulse.beat()
    clock.now += 59
    assert pulse.look().ok and pulse.look().to_json() == {"status": "ok", "last_round_s": 59.0}
    clock.now += 2
    assert pulse.look().condition is Condition.STUCK and not pulse.look().ok


def test_a_receiver_that_is_gone_is_an_illness() -> None:
    pulse = Pulse(Clock())
    listens = [True]
    pulse.include(lambda: listens[0])
    pulse.beat()
    assert pulse.look().ok and pulse.look().to_json()["dicom"] == "listening"
    listens[0] = False
    assert pulse.look().condition is Condition.DEAF and not pulse.look().ok
    assert pulse.look().to_json()["dicom"] == "deaf"


def test_what_is_out_of_reach_is_waited_for_and_found_again() -> None:
    clock = Clock()
    pulse = Pulse(clock, stuck_s=60)
    for _ in range(3):
        pulse.miss()
        clock.now += 50
    assert pulse.look().condition is Condition.WAITING, "it tries, so it is not stuck"
    pulse.beat()
    assert pulse.look().ok
