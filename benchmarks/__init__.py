"""What is fast and what is not, as ratios to a floor measured in the same run."""
