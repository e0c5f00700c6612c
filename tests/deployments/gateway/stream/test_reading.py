"""What a client has confirmed: one question at a time, and never more than so much without an answer."""

from hypothesis import given
from hypothesis import strategies as st

from deployments.gateway.stream.reading import EACH, MOST, Patience, Reading


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_client_is_asked_after_a_while_or_after_many_and_only_for_what_he_was_sent() -> None:
    clock = Clock()
    reading = Reading(Patience(ask_s=5, answer_s=30), clock)
    clock.now = 100
    assert not reading.is_due()
    reading.send(1)
    clock.now += 4.9
    assert not reading.is_due()
    reading.send(EACH - 1)
    assert reading.is_due()
    assert (reading.ask(), reading.is_due()) == (EACH, False)
    clock.now += 30
    assert not reading.is_late()
    clock.now += 0.1
    assert reading.is_late()
    assert not reading.answer(EACH - 1)
    assert reading.answer(EACH)
    assert not reading.answer(EACH)
    assert (reading.is_late(), reading.is_due()) == (False, False)
    reading.send(1)
    clock.now += 5
    assert reading.is_due()


@given(
    st.lists(st.tuples(st.integers(0, 900), st.booleans(), st.floats(0, 40, allow_nan=False)), max_size=200),
)
def test_no_more_than_so_many_are_ever_unconfirmed_and_each_answer_makes_room(
    steps: list[tuple[int, bool, float]],
) -> None:
    clock = Clock()
    reading = Reading(Patience(), clock)
    sent = confirmed = 0
    asked: int | None = None
    for count, answers, passes in steps:
        clock.now += passes
        if reading.has_room:
            reading.send(count)
            sent += count
        if reading.is_due():
            assert asked is None
            asked = reading.ask()
            assert asked == sent
        if answers and asked is not None:
            assert reading.answer(asked)
            confirmed, asked = asked, None
        assert sent - confirmed < MOST + 900
        assert reading.has_room is (sent - confirmed < MOST)
        # Whoever has no room owes an answer, so he is asked or is late: nobody is forgotten.
        assert reading.has_room or asked is not None
