"""Warnings about a layer: the rules, the thresholds, and a board that raises each alert once."""
