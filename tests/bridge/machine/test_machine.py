"""The whole bridge on a real file under random histories, cut anywhere."""

import os
import time

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from hitl_core.bridge.policy import Policy

from .diskstore import Disk
from .rules import WholeBridge
from .steploop import StepLoop
from .world import World

LONG = bool(os.environ.get("HITL_LONG"))
STEPS = 50
ALL = 100_000 if LONG else 10_000


@pytest.fixture
def machine(migrated_sqlite, tmp_path):
    """The machine, on a disk and a loop of its own."""
    loop, disk = StepLoop(), Disk(tmp_path)
    loop.worked = disk.committed
    once = World(loop, disk, migrated_sqlite, provider="seeing", policy=Policy())
    once.go(None)  # the first connection of an engine takes more steps than those after it
    once.end()
    yield type("Machine", (WholeBridge,), {"template": migrated_sqlite, "loop": loop, "disk": disk, "count": 0})
    loop.close()


def test_whatever_happens_nothing_is_lost_doubled_or_out_of_order(machine, capsys):
    began = time.monotonic()
    while machine.count < ALL:  # some histories end before their last step
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=-(-(ALL - machine.count) // STEPS),
                stateful_step_count=STEPS,
                deadline=None,
                print_blob=True,
                database=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            ),
        )
    seconds = time.monotonic() - began
    with capsys.disabled():
        print(f"\n{machine.count} steps in {seconds:.0f} s, {machine.count / seconds:.0f} a second")  # noqa: T201 - asked for
