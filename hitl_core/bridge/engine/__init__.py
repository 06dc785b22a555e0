"""What carries hand-offs out: turns, lanes, effects, deliveries and timers."""
