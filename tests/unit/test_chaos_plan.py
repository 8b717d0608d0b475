"""What a cycle of chaos does is drawn from its seed."""

from __future__ import annotations

from labkit.bench.chaos.plan import MOMENTS, VICTIMS, draw


def test_a_seed_draws_the_same_cycle_each_time():
    assert [draw(n) for n in range(50)] == [draw(n) for n in range(50)]
    assert len({str(draw(n)) for n in range(50)}) == 50


def test_sixty_cycles_meet_every_victim_and_every_moment():
    plans = [draw(n) for n in range(60)]
    assert {p.moment for p in plans} == set(MOMENTS)
    assert {k.victims for p in plans for k in p.kills} == set(VICTIMS)


def test_the_order_that_once_blocked_every_call_is_among_a_thousand():
    """A worker comes back, and placement dies shortly after it."""
    found = [
        plan.seed
        for plan in map(draw, range(1000))
        for one, two in zip(plan.kills, plan.kills[1:], strict=False)
        if one.victims == ("target worker",) and "placement" in two.victims
    ]
    assert found
