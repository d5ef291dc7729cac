"""A Kubernetes API over objects in memory, and a cluster in which the services of the catalog run."""
