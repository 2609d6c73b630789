"""The gate explorer: a tab of its own in TensorBoard.

TensorBoard finds it by the entry point `tensorboard_plugins`, and `plugin_loader` is what it loads.
"""
