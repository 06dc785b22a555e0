"""What carries hand-offs out.

Inwards: the :mod:`~hitl_core.bridge.engine.driver` keeps a :mod:`~hitl_core.bridge.engine.worker` going. A worker
takes in what came (:mod:`~hitl_core.bridge.engine.intake`), has its turns (:mod:`~hitl_core.bridge.engine.turns`), and
carries out what they decided (:mod:`~hitl_core.bridge.engine.jobs`).
"""
