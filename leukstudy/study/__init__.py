"""What a study is: its parameters and their checks, experiments, presets, stages, and where things lie."""
