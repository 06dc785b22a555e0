"""What the durable bridge takes: each figure with what we aim at, both engines waiting for the disk at each commit.

``python -m benchmarks bridge`` measures all parts, ``python -m benchmarks bridge.accept`` one of them.
"""
