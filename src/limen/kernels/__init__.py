"""From a stable expression to native code: plan, source, compiled kernel, launch."""
