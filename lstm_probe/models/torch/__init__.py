"""Live models of PyTorch: from an `nn.Module` to snapshots."""
