"""The HTTP side: the webhook, and what operators and Kubernetes ask."""
