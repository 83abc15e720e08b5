"""How a stage is executed: its kernel, its notebook, what it cost."""
