"""A conversation that is far too busy for Zendesk's limits arrives all the same."""

import pytest

from benchmarks.zendesk import ALLOWED, figures, measure

pytestmark = pytest.mark.anyio


async def test_f38_300_messages_in_ten_minutes_arrive_in_order_below_30_updates_without_a_refusal(tmp_path):
    busy = await measure(tmp_path)
    assert busy.ordered
    assert (busy.lost, busy.doubled, busy.refused) == (0, 0, 0)
    assert busy.most <= ALLOWED
    assert max(busy.delays) < 60


def test_the_figure_says_how_many_updates_it_took():
    (figure,) = figures(messages=40, seconds=80)
    assert figure.ok
    assert "0 lost, 0 doubled, in order" in figure.detail
