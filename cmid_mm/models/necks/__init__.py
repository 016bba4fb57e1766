"""Necks: projections between a backbone and a loss."""

from .prototype_neck import PrototypeNeck

__all__ = ['PrototypeNeck']
