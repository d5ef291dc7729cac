"""A Kubernetes API over the objects of a scenario."""
