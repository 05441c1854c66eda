"""Watching a PyTorch network: the only part of insight that loads PyTorch."""

from limen.insight.observing.pytorch.network import TorchNetwork

__all__ = ["TorchNetwork"]
