"""What inspector says of every sample, kept."""
