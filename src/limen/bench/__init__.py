"""How fast limen is beside other frameworks, measured side by side in one run.

Every entrant works in a process of its own, so that no two pools of threads meet, and the
processes take turns, so that whatever the machine does meets all of them alike. What counts is a
ratio: to a plain copy that moves the same bytes, or to the bare matrix products of a training step.
"""
