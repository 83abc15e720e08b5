"""The commands of `leukstudy`, by room."""
