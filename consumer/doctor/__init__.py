"""What `propensity doctor` looks at, and its verdicts."""
