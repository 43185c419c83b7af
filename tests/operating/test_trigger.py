"""When what is looked at: batching, retries, one look at a time."""

from mainstream_operator.trigger import FOLLOW_SECONDS, LONGEST_RETRY_SECONDS, PERSON_SECONDS, Queue


def _queue(idle: float = 1.0, most: float = 5.0) -> Queue[str]:
    return Queue(lambda _key: (idle, most))


def test_changes_that_come_together_cause_one_look() -> None:
    """It waits until nothing came for the idle time."""
    queue = _queue()
    for moment in (0.0, 0.4, 0.8):
        queue.changed("a", moment)
    assert queue.take(1.7) is None
    assert queue.next_at() == 1.8
    assert queue.take(1.8) == "a"
    assert queue.take(9.0) is None


def test_changes_that_never_end_do_not_put_it_off_for_ever() -> None:
    """After the longest time it is looked at, whatever comes."""
    queue = _queue()
    for tenth in range(51):
        queue.changed("a", tenth / 10)
    assert queue.take(5.0) == "a"


def test_a_change_during_a_look_causes_another_one_afterwards() -> None:
    """Never two looks at the same object at a time."""
    queue = _queue(idle=0.0)
    queue.changed("a", 0.0)
    assert queue.take(0.0) == "a"
    queue.changed("a", 0.1)
    assert queue.take(1.0) is None
    queue.done("a")
    assert queue.take(1.0) == "a"


def test_an_object_that_fails_waits_longer_each_time_and_holds_up_no_other() -> None:
    """The others are looked at meanwhile, and its own changes do not hurry it."""
    queue = _queue(idle=0.0)
    now, waits = 0.0, []
    for _ in range(9):
        queue.changed("broken", now)
        at = queue.next_at()
        assert at is not None
        now = at
        assert queue.take(now) == "broken"
        waits.append(queue.failed("broken", now))
        queue.changed("broken", now)
        queue.changed("well", now)
        assert queue.take(now) == "well"
        queue.done("well")
    assert waits == [1, 2, 4, 8, 16, 32, 64, LONGEST_RETRY_SECONDS, LONGEST_RETRY_SECONDS]


def test_a_person_who_mends_it_need_not_wait() -> None:
    """A change of its spec counts as a new beginning."""
    queue = _queue(idle=0.0)
    queue.changed("a", 0.0)
    assert queue.take(0.0) == "a"
    queue.failed("a", 0.0)
    queue.changed("a", 0.5, forgive=True)
    assert queue.take(0.5) == "a"


def test_a_look_that_was_asked_for_at_a_time_comes_then_at_the_latest() -> None:
    """The earliest of several counts; it is gone afterwards."""
    queue = _queue()
    queue.again("a", 30.0)
    queue.again("a", 20.0)
    assert queue.take(19.9) is None
    assert queue.take(20.0) == "a"
    queue.done("a")
    assert queue.next_at() is None
    assert queue.depth() == 0


def test_what_only_follows_waits_for_what_is_due_after_it() -> None:
    """Not for ever: what is due much later comes after it; and not once there is more to it."""
    queue = _queue(idle=0.0)
    queue.changed("app-1", 0.0, follows=True)
    queue.changed("app-2", 6.0, follows=True)
    queue.changed("box-1", FOLLOW_SECONDS - 2)
    queue.changed("box-2", FOLLOW_SECONDS + 2)
    assert queue.next_at() == 0.0
    now = FOLLOW_SECONDS + 2
    assert [queue.take(now) for _ in range(5)] == ["box-1", "app-1", "box-2", "app-2", None]
    queue.changed("app-3", now, follows=True)
    queue.changed("app-4", now, follows=True)
    queue.changed("app-4", now)
    queue.changed("app-4", now, follows=True)
    queue.changed("box-3", now)
    assert [queue.take(now) for _ in range(3)] == ["app-4", "box-3", "app-3"]


def test_what_a_person_changed_goes_before_what_has_long_been_due() -> None:
    """Even if it waited already for another reason; not for ever, and only once."""
    queue = _queue(idle=0.0)
    queue.changed("forgotten", 0.0)
    now = PERSON_SECONDS + 1
    for name in ("a", "b", "c"):
        queue.changed(name, now - 1)
    queue.changed("b", now, forgive=True)
    queue.changed("b", now, follows=True)
    assert [queue.take(now) for _ in range(4)] == ["forgotten", "b", "a", "c"]
    for name in ("b", "a"):
        queue.done(name)
        queue.changed(name, now + 1 - (name == "a"))
    assert [queue.take(now + 1) for _ in range(2)] == ["a", "b"]


def test_the_depth_is_what_there_is_to_do() -> None:
    """A look that is only due some time is not."""
    queue = _queue(idle=0.0)
    queue.again("resync", 300.0)
    assert queue.depth() == 0
    for name in ("a", "b"):
        queue.changed(name, 0.0)
    assert queue.depth() == 2
    assert queue.take(0.0) == "a"
    assert queue.depth() == 2
    queue.failed("a", 0.0)
    assert queue.take(0.0) == "b"
    queue.done("b")
    assert queue.depth() == 1
